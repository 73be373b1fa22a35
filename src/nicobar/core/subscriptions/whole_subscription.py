"""A subscription with all that belongs to it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from nicobar.core.subscriptions.plan import RunningCode
from nicobar.core.subscriptions.subscription import Subscription


class SubscriptionDiscount(msgspec.Struct, frozen=True, kw_only=True):
    """A discount code of a subscription: its worth as it was agreed on, the rest as of now."""

    code: RunningCode
    name: str | None
    usage_limit: int | None
    expires_at: datetime | None
    subscription_cycles: int | None
    metadata: dict[str, Any]
    times_used: int
    created_at: datetime


class WholeSubscription(NamedTuple):
    """A subscription and its discounts, as of one moment."""

    subscription: Subscription
    discounts: Sequence[SubscriptionDiscount]
    """In the order in which their codes are applied."""
    payment_id: str | None = None
    """In the event of a renewal, the payment that paid for it."""
