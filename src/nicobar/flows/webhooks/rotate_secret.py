"""Give an endpoint a new secret."""

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.webhooks.signature import OVERLAP
from nicobar.flows.runtime import Runtime
from nicobar.storage.webhooks.endpoints import get_endpoint, lock_endpoints, update_secrets
from nicobar.vault import VaultError


async def rotate_secret(runtime: Runtime, tenant: Tenant, endpoint_id: str) -> str:
    """Store a new secret and return it; for 24 hours the one before it signs, too, in the second place.

    A second rotation within that time ends the oldest secret at once: there are two at most. Raises Problem NOT_FOUND
    and SERVICE_UNAVAILABLE (the server has no key to encrypt secrets with); nothing is changed then.
    """
    webhooks = runtime.webhooks
    assert webhooks is not None  # noqa: S101 - only some tests go without
    secret, now = webhooks.new_secret(), runtime.real_now()
    async with runtime.database.transaction() as tx:
        await lock_endpoints(tx, tenant)
        stored = await get_endpoint(tx, tenant, endpoint_id)
        if stored is None:
            raise Problem("NOT_FOUND", what="Webhook endpoint")
        try:
            sealed = webhooks.seal(stored.place, secret)
        except VaultError as error:
            raise Problem("SERVICE_UNAVAILABLE", message=f"Webhooks need an encryption key: {error}") from error
        rotated = msgspec.structs.replace(
            stored, secret=sealed, previous_secret=stored.secret, previous_ends_at=now + OVERLAP, updated_at=now
        )
        await update_secrets(tx, rotated)
    return secret
