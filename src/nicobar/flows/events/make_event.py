"""Make an event with its body as of now, for whoever stores it in the commit of the change that it reports."""

from datetime import datetime

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import DisputedPayment, Event, EventSubject, EventType
from nicobar.core.events.whole_payment import WholePayment
from nicobar.core.refunds.refund import PaymentRefund
from nicobar.core.subscriptions.whole_subscription import WholeSubscription
from nicobar.flows.runtime import Runtime
from nicobar.wire.events.events import render_event


def make_event(runtime: Runtime, tenant: Tenant, type: EventType, subject: EventSubject, at: datetime) -> Event:
    """Return the event, with a fresh id and its body as `subject` is."""
    payload = render_event(tenant.business_id, type, at, subject)
    return Event(runtime.new_id("evt", at), type, _object_id(subject), payload, at)


def _object_id(subject: EventSubject) -> str:
    match subject:
        case WholePayment():
            return subject.payment.payment_id
        case PaymentRefund():
            return subject.refund.refund_id
        case DisputedPayment():
            return subject.dispute.dispute_id
        case WholeSubscription():
            return subject.subscription.subscription_id
