"""What is stored about each charge of a subscription."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec

from nicobar.core.payments.payment import ChargeType, Payment, PaymentLine
from nicobar.core.subscriptions.proration import WHOLE, read_share

ChargeState = Literal["open", "paid", "failed", "credited"]

_ADDON: Final = "adn_"
"""How the ids of add-ons begin. A plan's lines are its product and the add-ons behind it."""


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
    """The share of a whole period that it pays for, as `Share.ratio` writes it."""
    state: ChargeState
    """`credited`: paid after the subscription had gone on without it."""
    created_at: datetime


def lines_of_charge(charge: ChargeRecord, payment: Payment) -> Sequence[PaymentLine]:
    """Return the lines of its payment that a charge is for.

    A first payment may start several subscriptions, in the order of their plans; what is sold once comes behind all.
    """
    starts = [index for index, line in enumerate(payment.lines) if not line.product_id.startswith(_ADDON)]
    starts.append(len(payment.lines))
    return payment.lines[starts[charge.position] : starts[charge.position + 1]]


def prorated_positions(charges: Sequence[ChargeRecord], payment: Payment) -> set[int]:
    """Return the positions of the payment's lines that were charged for a part of a period."""
    return {
        line.position
        for charge in charges
        if read_share(charge.factor) != WHOLE
        for line in lines_of_charge(charge, payment)
    }
