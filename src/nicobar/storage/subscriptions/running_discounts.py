"""What there is to say of the discount codes of a subscription."""

from collections.abc import Sequence
from typing import Final

from nicobar.core.subscriptions.subscription import Subscription
from nicobar.core.subscriptions.whole_subscription import SubscriptionDiscount
from nicobar.storage.database import Read

_GET: Final = """
SELECT discount_id, name, usage_limit, expires_at, subscription_cycles, metadata, times_used, created_at
FROM discounts WHERE business_id = $1 AND mode = $2 AND discount_id = ANY($3::text[])
"""


async def running_discounts(read: Read, subscriptions: Sequence[Subscription]) -> list[list[SubscriptionDiscount]]:
    """Return for each subscription of one tenant its codes with their discounts, in the order of their use."""
    ids = {code.terms.discount_id for own in subscriptions for code in own.codes}
    if not ids:
        return [[] for _ in subscriptions]
    tenant = subscriptions[0].tenant
    rows = await read.fetch(_GET, tenant.business_id, tenant.mode, list(ids))
    found = {row["discount_id"]: {key: value for key, value in row.items() if key != "discount_id"} for row in rows}
    return [
        [SubscriptionDiscount(code=code, **found[code.terms.discount_id]) for code in own.codes]
        for own in subscriptions
    ]
