"""A payment with all that belongs to it."""

from collections.abc import Sequence
from typing import NamedTuple

from nicobar.core.discounts.discount_record import AppliedDiscount
from nicobar.core.disputes.dispute import Dispute
from nicobar.core.payments.payment import Payment
from nicobar.core.refunds.refund import Refund
from nicobar.core.subscriptions.charge_record import ChargeRecord


class WholePayment(NamedTuple):
    """A payment, its link and what happened to it, all as of one moment."""

    payment: Payment
    link: str | None
    """Where the customer pays it, if a link was asked for."""
    discounts: Sequence[AppliedDiscount]
    """In the order in which their codes were applied."""
    disputes: Sequence[Dispute]
    refunds: Sequence[Refund]
    charges: Sequence[ChargeRecord] = ()
    """What it charges subscriptions for."""
    processor: str | None = None
    """Where it was paid or last tried; None before anybody tried."""
