"""The outbox: events wait here for their delivery. A row is written in the commit of the change that it reports."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import Event
from nicobar.storage.database import Read, Tx
from nicobar.storage.listing import Condition, equal, where

# Deliveries are scheduled in the statement that writes the event: migration 0020 says why none is missed.
_INSERT: Final = """
WITH event AS (
    INSERT INTO events (business_id, mode, event_id, type, object_id, payload, created_at)
    SELECT $1, $2, event_id, type, object_id, payload, created_at
    FROM unnest($3::text[], $4::text[], $5::text[], $6::json[], $7::timestamptz[]) WITH ORDINALITY
        AS given (event_id, type, object_id, payload, created_at, place)
    ORDER BY place RETURNING business_id, mode, event_id, type
)
SELECT sum(schedule_webhooks(business_id, mode, event_id, type, $8)) FROM event
"""

_UPDATE: Final = "UPDATE events SET payload = $4 WHERE business_id = $1 AND mode = $2 AND event_id = $3"

_COLUMNS: Final = "event_id, type, object_id, convert_to(payload::text, 'UTF8') AS payload, created_at"

_OF_OBJECT: Final = f"""
SELECT {_COLUMNS} FROM events WHERE business_id = $1 AND mode = $2 AND object_id = $3 ORDER BY number
"""

_GET: Final = f"SELECT {_COLUMNS} FROM events WHERE business_id = $1 AND mode = $2 AND event_id = $3"

_NUMBER: Final = "SELECT number FROM events WHERE business_id = $1 AND mode = $2 AND event_id = $3"


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of events is narrowed to; None means no bound. Dates are inclusive."""

    types: tuple[str, ...] | None = None
    object_id: str | None = None
    created_at_gte: datetime | None = None
    created_at_lte: datetime | None = None

    def conditions(self) -> list[Condition]:
        """Return the conditions on the table `events`."""
        found = equal({"object_id": self.object_id})
        if self.types is not None:
            found.append(("type = ANY({}::text[])", list(self.types)))
        if self.created_at_gte is not None:
            found.append(("created_at >= {}", self.created_at_gte))
        if self.created_at_lte is not None:
            found.append(("created_at <= {}", self.created_at_lte))
        return found


async def insert_events(tx: Tx, tenant: Tenant, events: Sequence[Event], at: datetime) -> int:
    """Store events with their deliveries, due at `at` in the tenant's time; return how many deliveries there are.

    They are numbered in the given order.
    """
    columns = [
        [event.event_id for event in events],
        [event.type for event in events],
        [event.object_id for event in events],
        [msgspec.Raw(event.payload) for event in events],
        [event.created_at for event in events],
    ]
    return int(await tx.fetchval(_INSERT, tenant.business_id, tenant.mode, *columns, at))


async def update_event(tx: Tx, tenant: Tenant, event_id: str, payload: bytes) -> None:
    """Store another body for an event that the same transaction has inserted."""
    await tx.execute(_UPDATE, tenant.business_id, tenant.mode, event_id, msgspec.Raw(payload))


async def get_event(read: Read, tenant: Tenant, event_id: str) -> Event | None:
    """Return one event."""
    row = await read.fetchrow(_GET, tenant.business_id, tenant.mode, event_id)
    return None if row is None else Event(**row)


async def events_of(read: Read, tenant: Tenant, object_id: str) -> list[Event]:
    """Return the events about one payment, refund or dispute, the oldest first."""
    rows = await read.fetch(_OF_OBJECT, tenant.business_id, tenant.mode, object_id)
    return [Event(**row) for row in rows]


async def list_events(
    read: Read, tenant: Tenant, narrowed: EventFilter, limit: int, *, before: str | None, after: str | None
) -> list[Event]:
    """Return events, the newest first: those before the event `before`, or the ones next to `after` that came later.

    An event that does not exist narrows to nothing.
    """
    conditions = narrowed.conditions()
    for event_id, sign in ((before, "<"), (after, ">")):
        if event_id is not None:
            number = await read.fetchval(_NUMBER, tenant.business_id, tenant.mode, event_id)
            conditions.append((f"number {sign} {{}}", number))
    joined, values = where("number", tenant, conditions)
    if narrowed.object_id is None:
        joined += " AND number > 0"  # what the index of all events asks for, which has to see it in the text
    order = "ASC" if after is not None else "DESC"
    query = f"SELECT {_COLUMNS} FROM events WHERE {joined} ORDER BY number {order} LIMIT {limit:d}"
    rows = await read.fetch(query, *values)
    return [Event(**row) for row in (reversed(rows) if after is not None else rows)]
