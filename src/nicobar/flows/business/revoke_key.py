"""Revoke an API key."""

from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.business import keys


async def revoke_key(runtime: Runtime, business_id: str, key_id: str) -> None:
    """Make a key worthless; a running server may remember it for a few seconds more (see `api.auth`).

    Raises Problem NOT_FOUND when the business has no valid key with this id.
    """
    async with runtime.database.statement() as tx:
        revoked = await keys.revoke_key(tx, business_id, key_id, runtime.real_now())
    if not revoked:
        raise Problem("NOT_FOUND", what="API key")
