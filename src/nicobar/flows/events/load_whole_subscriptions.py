"""Subscriptions of one tenant with all that belongs to them, as events show each."""

from collections.abc import Sequence

from nicobar.core.subscriptions.subscription import Subscription
from nicobar.core.subscriptions.whole_subscription import WholeSubscription
from nicobar.storage.database import Read
from nicobar.storage.subscriptions.running_discounts import running_discounts


async def load_whole_subscriptions(read: Read, subscriptions: Sequence[Subscription]) -> list[WholeSubscription]:
    """Read what belongs to subscriptions of one tenant, in their order, with one query."""
    discounts = await running_discounts(read, subscriptions)
    return [WholeSubscription(own, codes, None) for own, codes in zip(subscriptions, discounts, strict=True)]
