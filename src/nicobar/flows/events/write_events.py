"""Write events into the outbox, in the transaction of the changes that they report.

The body of an event is kept as bytes: it tells what was true when it happened, and it is what webhooks send as long as
nothing newer was told about the object.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import Event, EventSubject, EventType
from nicobar.flows.events.make_event import make_event
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.due_work import DELIVERIES
from nicobar.storage.events.events import insert_events

AT_ONCE: Final = 500
"""Events of one statement: a body has a few kilobytes."""


async def write_events(
    runtime: Runtime, tx: Tx, tenant: Tenant, type: EventType, subjects: Sequence[EventSubject], at: datetime
) -> list[Event]:
    """Store an event of each subject with its body as of now, schedule their deliveries, and return them in order."""
    written: list[Event] = []
    for start in range(0, len(subjects), AT_ONCE):
        events = [make_event(runtime, tenant, type, subject, at) for subject in subjects[start : start + AT_ONCE]]
        if await insert_events(tx, tenant, events, runtime.now(tenant)):
            runtime.database.announce_work(tx, DELIVERIES.table)
        written += events
    return written
