"""Return a subscription that a request names."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.flows.runtime import Runtime
from nicobar.storage.subscriptions.subscriptions import get_subscription


async def require_subscription(runtime: Runtime, tenant: Tenant, subscription_id: str) -> Subscription:
    """Return the tenant's subscription as it is now. Raises Problem NOT_FOUND."""
    async with runtime.database.read() as read:
        subscription = await get_subscription(read, tenant, subscription_id)
    if subscription is None:
        raise Problem("NOT_FOUND", what="Subscription")
    return subscription
