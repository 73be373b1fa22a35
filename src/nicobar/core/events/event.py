"""Events: what a merchant's application is told. Each is written in the commit of the change that it reports."""

from datetime import datetime
from typing import Final, Literal, NamedTuple, get_args

import msgspec

from nicobar.core.disputes.dispute import Dispute, DisputeStatus
from nicobar.core.events.whole_payment import WholePayment
from nicobar.core.payments.payment import Payment, PaymentStatus
from nicobar.core.refunds.refund import PaymentRefund, RefundStatus
from nicobar.core.subscriptions.subscription import SubscriptionEventType
from nicobar.core.subscriptions.whole_subscription import WholeSubscription

EventType = Literal[
    "payment.succeeded",
    "payment.failed",
    "payment.processing",
    "payment.cancelled",
    "refund.succeeded",
    "refund.failed",
    "dispute.opened",
    "dispute.expired",
    "dispute.accepted",
    "dispute.cancelled",
    "dispute.challenged",
    "dispute.won",
    "dispute.lost",
    SubscriptionEventType,
]
"""The event types that this server writes, out of the contract's list ("Webhook delivery")."""

EVENT_TYPES: Final[tuple[EventType, ...]] = get_args(EventType)
"""All of them, in the contract's order."""

PAYMENT_EVENTS: Final[dict[PaymentStatus, EventType]] = {
    "succeeded": "payment.succeeded",
    "failed": "payment.failed",
    "processing": "payment.processing",
    "cancelled": "payment.cancelled",
}
"""The event for each status that a payment comes to; the other statuses have none."""

REFUND_EVENTS: Final[dict[RefundStatus, EventType]] = {"succeeded": "refund.succeeded", "failed": "refund.failed"}

DISPUTE_EVENTS: Final[dict[DisputeStatus, EventType]] = {
    "dispute_opened": "dispute.opened",
    "dispute_expired": "dispute.expired",
    "dispute_accepted": "dispute.accepted",
    "dispute_cancelled": "dispute.cancelled",
    "dispute_challenged": "dispute.challenged",
    "dispute_won": "dispute.won",
    "dispute_lost": "dispute.lost",
}


class DisputedPayment(NamedTuple):
    """A dispute with its payment, both as of one moment."""

    dispute: Dispute
    payment: Payment


EventSubject = WholePayment | PaymentRefund | DisputedPayment | WholeSubscription
"""What an event is about, as of its moment."""


class Event(msgspec.Struct, frozen=True):
    """One event. Its body never changes; a late delivery may tell something newer (`flows/webhooks`)."""

    event_id: str
    """`evt_...`; its deliveries have ids of their own, one for each endpoint."""
    type: EventType
    object_id: str
    """The payment, refund, dispute or subscription that it is about."""
    payload: bytes
    """The body as of the event: compact JSON (contract, "Webhook delivery")."""
    created_at: datetime
