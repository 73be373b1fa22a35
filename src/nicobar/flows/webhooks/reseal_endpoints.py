"""Encrypt every secret of webhooks with the newest key, so that older keys are not needed any more."""

from nicobar.core.webhooks.endpoint import listener_place
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.seal_endpoint import seal_endpoint
from nicobar.storage.webhooks.endpoints import all_endpoints, get_endpoint, lock_endpoints, update_secrets
from nicobar.storage.webhooks.listeners import all_listen_secrets, update_listen_secret


async def reseal_endpoints(runtime: Runtime) -> int:
    """Re-encrypt all secrets and headers, and the secrets of `nicobar listen`; return how many endpoints there are.

    Raises VaultError, and leaves the endpoint at which it was raised, and those after it, as they are.
    """
    webhooks = runtime.webhooks
    assert webhooks is not None  # noqa: S101 - only some tests go without
    async with runtime.database.snapshot() as read:
        endpoints, listeners = await all_endpoints(read), await all_listen_secrets(read)
    for business_id, sealed in listeners.items():
        place = listener_place(business_id)
        resealed = webhooks.seal(place, webhooks.open(place, sealed))
        async with runtime.database.statement() as tx:
            await update_listen_secret(tx, business_id, resealed)
    for endpoint in endpoints:
        async with runtime.database.transaction() as tx:
            await lock_endpoints(tx, endpoint.tenant)
            stored = await get_endpoint(tx, endpoint.tenant, endpoint.endpoint_id)
            if stored is not None:
                await update_secrets(tx, seal_endpoint(webhooks, stored, stored.url))
    return len(endpoints)
