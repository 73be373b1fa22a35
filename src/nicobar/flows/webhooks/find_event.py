"""Find what was told about a payment."""

from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import Event, EventType
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.disputes.disputes import disputes_of
from nicobar.storage.payments.payment_history import events_about
from nicobar.storage.payments.payments import get_payment
from nicobar.storage.refunds.refunds import refunds_of

_NOTHING: Final = "nothing"


async def find_event(runtime: Runtime, tenant: Tenant, payment_id: str, type: EventType) -> Event:
    """Return the newest event of a type about a payment, one of its refunds or one of its disputes.

    Raises Problem NOT_FOUND for an unknown payment, and UNSUPPORTED_ACTION when nothing of that type has happened.
    """
    async with runtime.database.snapshot() as read:
        payment = await get_payment(read, tenant, payment_id)
        if payment is None:
            raise Problem("NOT_FOUND", what=f"Payment {payment_id}")
        others = [refund.refund_id for refund in await refunds_of(read, tenant, payment_id)]
        others += [dispute.dispute_id for dispute in await disputes_of(read, tenant, payment_id)]
        events = await events_about(read, payment, others)
    found = [event for event in events if event.type == type]
    if not found:
        told = ", ".join(dict.fromkeys(event.type for event in events)) or _NOTHING
        detail = f"No {type} was told about {payment_id}, which is {payment.status}. Told was: {told}."
        raise Problem("UNSUPPORTED_ACTION", detail=detail)
    return found[-1]
