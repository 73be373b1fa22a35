"""The body that every delivery of an event carries (contract, "Webhook delivery")."""

from datetime import datetime

import msgspec

from nicobar.core.events.event import DisputedPayment, EventSubject, EventType
from nicobar.core.events.whole_payment import WholePayment
from nicobar.core.refunds.refund import PaymentRefund
from nicobar.core.subscriptions.whole_subscription import WholeSubscription
from nicobar.wire.disputes.disputes import DisputeRead, render_dispute
from nicobar.wire.events.canonical_json import canonical_json
from nicobar.wire.payments.payment_reads import PaymentRead, render_payment
from nicobar.wire.refunds.refunds import RefundRead, render_refund
from nicobar.wire.subscriptions.subscriptions import SubscriptionEventData, render_subscription_event


def render_event(business_id: str, type: EventType, at: datetime, subject: EventSubject) -> bytes:
    """Return the body: JSON that JavaScript would write in the same bytes, with `data` as GET returns the object."""
    payload_type, data = _payload(subject)
    body = {
        "business_id": business_id,
        "type": type,
        "timestamp": at,
        "data": {"payload_type": payload_type, **msgspec.structs.asdict(data)},
    }
    return canonical_json(body)


def _payload(subject: EventSubject) -> tuple[str, PaymentRead | RefundRead | DisputeRead | SubscriptionEventData]:
    match subject:
        case WholePayment():
            return "Payment", render_payment(subject)
        case PaymentRefund(refund, payment):
            return "Refund", render_refund(refund, payment)
        case DisputedPayment(dispute, payment):
            return "Dispute", render_dispute(dispute, payment)
        case WholeSubscription():
            return "Subscription", render_subscription_event(subject)
