"""What is stored about each charge of a subscription."""

from datetime import datetime
from typing import Literal

import msgspec

from nicobar.core.payments.payment import ChargeType

ChargeState = Literal["open", "paid", "failed", "credited"]


class ChargeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a payment charges a subscription for, and how that ended."""

    payment_id: str
    position: int = 0
    """From 0: one payment may start several subscriptions."""
    subscription_id: str
    charge_type: ChargeType | None
    """None for a payment that only keeps another method."""
    retry_attempt: int = 0
    starts_at: datetime | None = None
    """The period that it pays for; None for a charge on demand, and until a first payment has succeeded."""
    ends_at: datetime | None = None
    factor: str = "1"
    """The share of a whole period that it pays for, in decimals."""
    state: ChargeState
    """`credited`: paid after the subscription had gone on without it."""
    created_at: datetime
