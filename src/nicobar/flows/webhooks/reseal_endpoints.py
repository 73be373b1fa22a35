"""Encrypt the secrets of every endpoint with the newest key, so that older keys are not needed any more."""

import msgspec

from nicobar.core.webhooks.endpoint import Endpoint
from nicobar.flows.runtime import Runtime
from nicobar.processors.webhooks.webhooks import Webhooks
from nicobar.storage.webhooks.endpoints import all_endpoints, get_endpoint, lock_endpoints, update_secrets


async def reseal_endpoints(runtime: Runtime) -> int:
    """Re-encrypt all secrets and headers and return how many endpoints there are.

    Raises VaultError, and leaves the endpoint at which it was raised, and those after it, as they are.
    """
    assert runtime.webhooks is not None  # noqa: S101 - only some tests go without
    async with runtime.database.read() as read:
        endpoints = await all_endpoints(read)
    for endpoint in endpoints:
        async with runtime.database.transaction() as tx:
            await lock_endpoints(tx, endpoint.tenant)
            stored = await get_endpoint(tx, endpoint.tenant, endpoint.endpoint_id)
            if stored is not None:
                await update_secrets(tx, _resealed(runtime.webhooks, stored))
    return len(endpoints)


def _resealed(webhooks: Webhooks, endpoint: Endpoint) -> Endpoint:
    def anew(sealed: bytes) -> bytes:
        opened = webhooks.open(endpoint.tenant, endpoint.endpoint_id, sealed)
        return webhooks.seal(endpoint.tenant, endpoint.endpoint_id, opened)

    return msgspec.structs.replace(
        endpoint,
        secret=anew(endpoint.secret),
        previous_secret=None if endpoint.previous_secret is None else anew(endpoint.previous_secret),
        headers=None if endpoint.headers is None else anew(endpoint.headers),
    )
