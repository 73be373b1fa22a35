"""The body that every delivery of an event carries (contract, "Webhook delivery")."""

from datetime import datetime

import msgspec

from nicobar.core.events.event import DisputedPayment, EventSubject, EventType
from nicobar.core.events.whole_payment import WholePayment
from nicobar.core.refunds.refund import PaymentRefund
from nicobar.wire.disputes.disputes import DisputeRead, render_dispute
from nicobar.wire.payments.payment_reads import PaymentRead, render_whole_payment
from nicobar.wire.refunds.refunds import RefundRead, render_refund

_encoder = msgspec.json.Encoder()


def render_event(business_id: str, type: EventType, at: datetime, subject: EventSubject) -> bytes:
    """Return the body: compact JSON in one order of keys, with `data` as GET returns the object.

    Names in other scripts stay as they are, because one relay of the hosted service's clients re-serializes the body
    and would otherwise change the bytes that were signed.
    """
    payload_type, data = _payload(subject)
    body = {
        "business_id": business_id,
        "type": type,
        "timestamp": at,
        "data": {"payload_type": payload_type, **msgspec.structs.asdict(data)},
    }
    return _encoder.encode(body)


def _payload(subject: EventSubject) -> tuple[str, PaymentRead | RefundRead | DisputeRead]:
    match subject:
        case WholePayment():
            return "Payment", render_whole_payment(subject)
        case PaymentRefund(refund, payment):
            return "Refund", render_refund(refund, payment)
        case DisputedPayment(dispute, payment):
            return "Dispute", render_dispute(dispute, payment)
