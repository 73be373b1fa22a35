"""Delete deliveries that are older than the merchant wants to keep them, and endpoints that nothing is left of."""

from datetime import timedelta
from typing import Final

from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.storage.webhooks import delivery_log
from nicobar.storage.webhooks.endpoints import tenants_with_endpoints

_AT_ONCE: Final = 1000
"""Deliveries of one tenant that one round deletes at most."""


async def purge_deliveries(runtime: Runtime) -> None:
    """Delete some of what is too old (setting `webhook_log_days`). Events are kept."""
    async with runtime.database.read() as read:
        tenants = await tenants_with_endpoints(read)
    for tenant in tenants:
        policy = await load_policy(runtime, tenant)
        before = runtime.now(tenant) - timedelta(days=policy.settings.webhook_log_days)
        async with runtime.database.transaction() as tx:
            await delivery_log.purge_deliveries(tx, tenant, before, _AT_ONCE)
            await delivery_log.purge_endpoints(tx, tenant, before)
