"""Decrypt the secret of an endpoint for its owner."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.webhooks.endpoints import get_endpoint
from nicobar.vault import VaultError


async def reveal_secret(runtime: Runtime, tenant: Tenant, endpoint_id: str) -> str:
    """Return the secret that signs now.

    Raises Problem NOT_FOUND, and SERVICE_UNAVAILABLE when the server lacks the key that it is encrypted with.
    """
    assert runtime.webhooks is not None  # noqa: S101 - only some tests go without
    async with runtime.database.read() as read:
        endpoint = await get_endpoint(read, tenant, endpoint_id)
    if endpoint is None:
        raise Problem("NOT_FOUND", what="Webhook endpoint")
    try:
        return runtime.webhooks.open(endpoint.place, endpoint.secret)
    except VaultError as error:
        raise Problem("SERVICE_UNAVAILABLE", message=f"The secret cannot be decrypted: {error}") from error
