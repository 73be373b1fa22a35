"""The outbox: events wait here for their delivery. A row is written in the commit of the change that it reports."""

from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import Event
from nicobar.storage.database import Read, Tx

_INSERT: Final = """
INSERT INTO events (business_id, mode, event_id, type, object_id, payload, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

_OF_OBJECT: Final = """
SELECT event_id, type, object_id, convert_to(payload::text, 'UTF8') AS payload, created_at FROM events
WHERE business_id = $1 AND mode = $2 AND object_id = $3 ORDER BY event_id
"""


async def insert_event(tx: Tx, tenant: Tenant, event: Event) -> None:
    """Store an event."""
    payload = msgspec.Raw(event.payload)
    await tx.execute(
        _INSERT, tenant.business_id, tenant.mode, event.event_id, event.type, event.object_id, payload, event.created_at
    )


async def events_of(read: Read, tenant: Tenant, object_id: str) -> list[Event]:
    """Return the events about one payment, refund or dispute, the oldest first."""
    rows = await read.fetch(_OF_OBJECT, tenant.business_id, tenant.mode, object_id)
    return [Event(**row) for row in rows]
