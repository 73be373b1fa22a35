"""Write an event into the outbox, in the transaction of the change that it reports.

The body of an event is kept as bytes: it tells what was true when it happened, and it is what webhooks send as long as
nothing newer was told about the object.
"""

from datetime import datetime

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import Event, EventSubject, EventType
from nicobar.flows.events.make_event import make_event
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.events.events import insert_event


async def write_event(
    runtime: Runtime, tx: Tx, tenant: Tenant, type: EventType, subject: EventSubject, at: datetime
) -> Event:
    """Store the event with its body as of now, schedule its deliveries, and return it."""
    event = make_event(runtime, tenant, type, subject, at)
    if await insert_event(tx, tenant, event, runtime.now(tenant)):
        runtime.database.announce_work(tx)
    return event
