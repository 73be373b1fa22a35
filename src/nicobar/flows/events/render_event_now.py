"""Render an event with its object as it is now, for a delivery that comes after something newer was told."""

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import DisputedPayment, Event, EventSubject
from nicobar.core.refunds.refund import PaymentRefund
from nicobar.flows.events.load_whole_payment import load_whole_payment
from nicobar.flows.events.load_whole_subscription import load_whole_subscription
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Read
from nicobar.storage.disputes.disputes import get_dispute
from nicobar.storage.payments.payments import get_payment
from nicobar.storage.refunds.refunds import get_refund
from nicobar.storage.subscriptions.subscriptions import get_subscription
from nicobar.wire.events.events import render_event


async def render_event_now(runtime: Runtime, read: Read, tenant: Tenant, event: Event) -> bytes:
    """Return the event's body with `data` as GET shows the object now; type and moment stay those of the event.

    An object that is gone is told as it was then. `read` shows one moment.
    """
    subject = await _subject(runtime, read, tenant, event)
    if subject is None:
        return event.payload
    return render_event(tenant.business_id, event.type, event.created_at, subject)


async def _subject(runtime: Runtime, read: Read, tenant: Tenant, event: Event) -> EventSubject | None:
    if event.type.startswith("payment."):
        payment = await get_payment(read, tenant, event.object_id)
        return None if payment is None else await load_whole_payment(runtime, read, payment)
    if event.type.startswith("refund."):
        refund = await get_refund(read, tenant, event.object_id)
        payment = None if refund is None else await get_payment(read, tenant, refund.payment_id)
        return None if refund is None or payment is None else PaymentRefund(refund, payment)
    if event.type.startswith("subscription."):
        subscription = await get_subscription(read, tenant, event.object_id)
        if subscription is None:
            return None
        paid_by = msgspec.json.decode(event.payload)["data"]["payment_id"]  # of that renewal, whatever came later
        return await load_whole_subscription(read, subscription, paid_by)
    dispute = await get_dispute(read, tenant, event.object_id)
    payment = None if dispute is None else await get_payment(read, tenant, dispute.payment_id)
    return None if dispute is None or payment is None else DisputedPayment(dispute, payment)
