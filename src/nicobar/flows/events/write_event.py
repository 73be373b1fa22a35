"""Write one event into the outbox, in the transaction of the change that it reports."""

from datetime import datetime

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import Event, EventSubject, EventType
from nicobar.flows.events.write_events import write_events
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx


async def write_event(
    runtime: Runtime, tx: Tx, tenant: Tenant, type: EventType, subject: EventSubject, at: datetime
) -> Event:
    """Store the event with its body as of now, schedule its deliveries, and return it."""
    (event,) = await write_events(runtime, tx, tenant, type, [subject], at)
    return event
