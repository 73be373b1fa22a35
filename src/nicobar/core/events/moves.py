"""What followers of payments are notified of: something has come to a new status, or to a new stage of it."""

from typing import NamedTuple

from nicobar.core.disputes.dispute import Dispute, DisputeStatus
from nicobar.core.events.event import Event
from nicobar.core.payments.payment import Payment, PaymentStatus
from nicobar.core.refunds.refund import Refund, RefundStatus


class PaymentMove(NamedTuple):
    """A payment has moved, or a charge of it became pending, which leaves it `processing`."""

    payment: Payment
    """As it is now."""
    origin: PaymentStatus
    """The status that it had before."""
    event: Event | None
    """The event that merchants get about it; None for a status without one."""


class RefundMove(NamedTuple):
    """A refund has ended, or a refund that succeeded has come back."""

    refund: Refund
    """As it is now."""
    payment: Payment
    """As it was before the move."""
    origin: RefundStatus
    event: Event


class DisputeMove(NamedTuple):
    """A dispute was opened, or has moved to another status or stage."""

    dispute: Dispute
    """As it is now."""
    payment: Payment
    origin: DisputeStatus | None
    """None for a dispute that was opened."""
    event: Event


FollowedMove = PaymentMove | RefundMove | DisputeMove
"""What a follower is told."""
