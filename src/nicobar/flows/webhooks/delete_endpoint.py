"""Delete an endpoint."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.webhooks import endpoints
from nicobar.storage.webhooks.deliveries import stop_deliveries


async def delete_endpoint(runtime: Runtime, tenant: Tenant, endpoint_id: str) -> None:
    """Delete an endpoint with its secrets, and stop what is on its way; what it was sent stays in the log.

    Raises Problem NOT_FOUND.
    """
    now = runtime.real_now()
    async with runtime.database.transaction() as tx:
        await endpoints.lock_endpoints(tx, tenant)
        if await endpoints.get_endpoint(tx, tenant, endpoint_id) is None:
            raise Problem("NOT_FOUND", what="Webhook endpoint")
        await stop_deliveries(tx, tenant, endpoint_id, now)
        await endpoints.delete_endpoint(tx, tenant, endpoint_id, now)
