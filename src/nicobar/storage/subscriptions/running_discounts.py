"""What there is to say of the discount codes of a subscription."""

from typing import Final

from nicobar.core.subscriptions.subscription import Subscription
from nicobar.core.subscriptions.whole_subscription import SubscriptionDiscount
from nicobar.storage.database import Read

_GET: Final = """
SELECT discount_id, name, usage_limit, expires_at, subscription_cycles, metadata, times_used, created_at
FROM discounts WHERE business_id = $1 AND mode = $2 AND discount_id = ANY($3::text[])
"""


async def running_discounts(read: Read, subscription: Subscription) -> list[SubscriptionDiscount]:
    """Return the codes of a subscription with their discounts, in the order in which they are applied."""
    if not subscription.codes:
        return []
    ids = [code.terms.discount_id for code in subscription.codes]
    rows = await read.fetch(_GET, subscription.business_id, subscription.mode, ids)
    found = {row["discount_id"]: {key: value for key, value in row.items() if key != "discount_id"} for row in rows}
    return [SubscriptionDiscount(code=code, **found[code.terms.discount_id]) for code in subscription.codes]
