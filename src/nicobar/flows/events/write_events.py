"""Write events into the outbox, in the transaction of the changes that they report.

The body of an event is kept as bytes: it tells what was true when it happened, and it is what webhooks send as long as
nothing newer was told about the object.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import DisputedPayment, Event, EventSubject, EventType
from nicobar.core.events.whole_payment import WholePayment
from nicobar.core.refunds.refund import PaymentRefund
from nicobar.core.subscriptions.whole_subscription import WholeSubscription
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.events.events import insert_events
from nicobar.wire.events.events import render_event

AT_ONCE: Final = 500
"""Events of one statement: a body has a few kilobytes."""


async def write_events(
    runtime: Runtime, tx: Tx, tenant: Tenant, type: EventType, subjects: Sequence[EventSubject], at: datetime
) -> list[Event]:
    """Store an event of each subject with its body as of now, schedule their deliveries, and return them in order."""
    written: list[Event] = []
    for start in range(0, len(subjects), AT_ONCE):
        events = [_event(runtime, tenant, type, subject, at) for subject in subjects[start : start + AT_ONCE]]
        if await insert_events(tx, tenant, events, runtime.now(tenant)):
            runtime.database.announce_work(tx)
        written += events
    return written


def _event(runtime: Runtime, tenant: Tenant, type: EventType, subject: EventSubject, at: datetime) -> Event:
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
