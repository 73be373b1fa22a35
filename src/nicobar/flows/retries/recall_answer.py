"""Look up what is known of a request that says that it may have been made before."""

from nicobar.core.retries.fingerprint import Fingerprint, KeptAnswer
from nicobar.flows.runtime import Runtime
from nicobar.storage.retries.kept_answers import claim_answer, delete_expired_answer, find_answer


async def recall_answer(runtime: Runtime, request: Fingerprint) -> KeptAnswer | None:
    """Return what is known of it: by its idempotency key, or the newest answer that this retry has not been given.

    The latter is given by this: no other request with the same count of retries gets it again.
    """
    now = runtime.real_now()
    if not request.is_keyed:
        async with runtime.database.transaction() as tx:
            return await claim_answer(tx, request, now)
    async with runtime.database.read() as read:
        found = await find_answer(read, request)
    if found is None:
        return None
    kept, expires_at = found
    if expires_at > now:
        return kept
    async with runtime.database.statement() as tx:
        await delete_expired_answer(tx, request, now)
    return None
