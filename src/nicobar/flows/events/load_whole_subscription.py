"""A subscription with all that belongs to it, as GET /subscriptions/{subscription_id} and events show it."""

from nicobar.core.subscriptions.subscription import Subscription
from nicobar.core.subscriptions.whole_subscription import WholeSubscription
from nicobar.storage.database import Read
from nicobar.storage.subscriptions.running_discounts import running_discounts


async def load_whole_subscription(
    read: Read, subscription: Subscription, payment_id: str | None = None
) -> WholeSubscription:
    """Read what belongs to a subscription; `payment_id` is what an event of a renewal names."""
    (discounts,) = await running_discounts(read, [subscription])
    return WholeSubscription(subscription, discounts, payment_id)
