"""What `nicobar listen` needs: its secret, and the events that were committed since it looked last."""

from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import Event
from nicobar.storage.database import Read, Tx
from nicobar.storage.webhooks.deliveries import NEWEST

LISTENER: Final = "listen"
"""The substitute for the id of an endpoint in the ids of messages."""

_GET: Final = "SELECT secret FROM webhook_listeners WHERE business_id = $1"

_INSERT: Final = """
INSERT INTO webhook_listeners (business_id, secret, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""

_ALL: Final = "SELECT business_id, secret FROM webhook_listeners ORDER BY business_id LIMIT 100000"

_SEAL: Final = "UPDATE webhook_listeners SET secret = $2 WHERE business_id = $1"

_NEWEST_NUMBER: Final = """
SELECT coalesce(max(number), 0) FROM events WHERE business_id = $1 AND mode = $2 AND number > 0
"""

_AFTER: Final = """
SELECT number, event_id FROM events
WHERE business_id = $1 AND mode = $2 AND number > 0 AND number > $3 ORDER BY number
"""

_EVENT: Final = f"""
SELECT e.event_id, e.type, e.object_id, convert_to(e.payload::text, 'UTF8') AS payload, e.created_at,
    webhook_message_id(e.event_id, '{LISTENER}') AS message_id, {NEWEST} AS is_newest
FROM events e WHERE e.business_id = $1 AND e.mode = $2 AND e.event_id = $3
"""


class ForwardedEvent(msgspec.Struct, frozen=True):
    """An event to forward."""

    event: Event
    message_id: str
    """The `webhook-id`: the same however often it is forwarded."""
    is_newest: bool
    """Whether nothing was told since about its object."""


async def get_listen_secret(read: Read, business_id: str) -> bytes | None:
    """Return the sealed secret of a business; None before it was made."""
    secret: bytes | None = await read.fetchval(_GET, business_id)
    return secret


async def insert_listen_secret(tx: Tx, business_id: str, secret: bytes, at: datetime) -> None:
    """Store a sealed secret, unless there is one."""
    await tx.execute(_INSERT, business_id, secret, at)


async def all_listen_secrets(read: Read) -> dict[str, bytes]:
    """Return every sealed secret by its business."""
    return {row["business_id"]: row["secret"] for row in await read.fetch(_ALL)}


async def update_listen_secret(tx: Tx, business_id: str, secret: bytes) -> None:
    """Replace a sealed secret by itself, sealed again."""
    await tx.execute(_SEAL, business_id, secret)


async def newest_event_number(read: Read, tenant: Tenant) -> int:
    """Return the number of the newest event; 0 before the first."""
    return int(await read.fetchval(_NEWEST_NUMBER, tenant.business_id, tenant.mode))


async def events_after(read: Read, tenant: Tenant, after: int) -> dict[int, str]:
    """Return the ids of all events beyond a number, by their numbers, which rise.

    An event with a lower number can be committed later than one with a higher.
    """
    rows = await read.fetch(_AFTER, tenant.business_id, tenant.mode, after)
    return {row["number"]: row["event_id"] for row in rows}


async def event_to_forward(read: Read, tenant: Tenant, event_id: str) -> ForwardedEvent | None:
    """Return one event."""
    row = await read.fetchrow(_EVENT, tenant.business_id, tenant.mode, event_id)
    if row is None:
        return None
    values = dict(row)
    event = Event(**{name: values.pop(name) for name in Event.__struct_fields__})
    return ForwardedEvent(event, **values)
