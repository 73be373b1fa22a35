"""Write an event into the outbox, in the transaction of the change that it reports.

The body of an event is kept as bytes: it tells what was true when it happened, and it is what webhooks send as long as
nothing newer was told about the object.
"""

from datetime import datetime

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import DisputedPayment, Event, EventSubject, EventType
from nicobar.core.events.whole_payment import WholePayment
from nicobar.core.refunds.refund import PaymentRefund
from nicobar.core.subscriptions.whole_subscription import WholeSubscription
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.events.events import insert_event
from nicobar.wire.events.events import render_event


async def write_event(
    runtime: Runtime, tx: Tx, tenant: Tenant, type: EventType, subject: EventSubject, at: datetime
) -> Event:
    """Store the event with its body as of now, schedule its deliveries, and return it."""
    payload = render_event(tenant.business_id, type, at, subject)
    event = Event(runtime.new_id("evt", at), type, _object_id(subject), payload, at)
    if await insert_event(tx, tenant, event, runtime.now(tenant)):
        runtime.database.announce_work(tx)
    return event


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
