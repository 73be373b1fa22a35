"""The log of deliveries: what became of an event at each endpoint, and rescheduling some of it."""

from collections import defaultdict
from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.webhooks.delivery import Delivery, DeliveryAttempt, ReplayOf
from nicobar.storage.database import Read, Tx

_DELIVERIES: Final = """
SELECT d.event_id, d.endpoint_id, d.message_id, e.url, d.state, d.due_at, d.created_at, d.updated_at
FROM webhook_deliveries d JOIN webhook_endpoints e USING (business_id, mode, endpoint_id)
WHERE d.business_id = $1 AND d.mode = $2 AND d.event_id = ANY($3::text[]) ORDER BY d.event_id, d.endpoint_id
"""

_ATTEMPTS: Final = """
SELECT event_id, endpoint_id, number, attempted_at, duration_ms, status, answer, reason, next_at
FROM webhook_attempts WHERE business_id = $1 AND mode = $2 AND event_id = ANY($3::text[])
ORDER BY event_id, endpoint_id, number
"""

# What a replay schedules: pairs of an event and an endpoint that wants it. Those without a row were never scheduled.
_REPLAYED: Final = """
SELECT v.event_id, p.endpoint_id
FROM events v
JOIN webhook_endpoints p ON p.business_id = v.business_id AND p.mode = v.mode AND p.deleted_at IS NULL
    AND NOT p.disabled AND (p.filter_types IS NULL OR v.type = ANY (p.filter_types))
    AND ($4::text IS NULL OR p.endpoint_id = $4)
LEFT JOIN webhook_deliveries d ON (d.business_id, d.mode, d.event_id, d.endpoint_id)
    = (v.business_id, v.mode, v.event_id, p.endpoint_id)
WHERE v.business_id = $1 AND v.mode = $2 AND v.number > 0 AND v.created_at >= $5 AND v.created_at <= $6
  AND ($7::text[] IS NULL OR v.type = ANY ($7)) AND ($3::text IS NULL OR v.event_id = $3)
  AND CASE $8 WHEN 'missing' THEN d.event_id IS NULL WHEN 'failed' THEN d.state IN ('failed', 'stopped')
              ELSE d.state IS DISTINCT FROM 'waiting' END
ORDER BY v.number LIMIT $9
"""

_SCHEDULE: Final = """
INSERT INTO webhook_deliveries
    (business_id, mode, event_id, endpoint_id, message_id, state, due_at, created_at, updated_at)
SELECT $1, $2, s.event_id, s.endpoint_id, webhook_message_id(s.event_id, s.endpoint_id), 'waiting', $5, $5, $5
FROM unnest($3::text[], $4::text[]) AS s (event_id, endpoint_id)
ON CONFLICT (business_id, mode, event_id, endpoint_id) DO UPDATE
SET state = 'waiting', due_at = EXCLUDED.due_at, step = 0, tries = 0, updated_at = EXCLUDED.updated_at
WHERE webhook_deliveries.state <> 'waiting'
"""

_PURGE: Final = """
DELETE FROM webhook_deliveries d USING (
    SELECT event_id, endpoint_id FROM webhook_deliveries
    WHERE business_id = $1 AND mode = $2 AND created_at < $3 AND due_at IS NULL AND updated_at < $3
    ORDER BY created_at LIMIT $4
) old WHERE d.business_id = $1 AND d.mode = $2 AND (d.event_id, d.endpoint_id) = (old.event_id, old.endpoint_id)
"""

_FORGET_ENDPOINTS: Final = """
DELETE FROM webhook_endpoints e WHERE business_id = $1 AND mode = $2 AND deleted_at < $3 AND NOT EXISTS (
    SELECT FROM webhook_deliveries d
    WHERE d.business_id = $1 AND d.mode = $2 AND d.endpoint_id = e.endpoint_id AND d.due_at IS NULL)
AND NOT EXISTS (
    SELECT FROM webhook_deliveries d
    WHERE d.business_id = $1 AND d.mode = $2 AND d.endpoint_id = e.endpoint_id AND d.due_at IS NOT NULL)
"""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries are to be made again. Moments are inclusive and those of the events."""

    what: ReplayOf
    since: datetime
    until: datetime
    event_id: str | None = None
    endpoint_id: str | None = None
    types: tuple[str, ...] | None = None


_COUNTS: Final = """
SELECT state, count(*) AS number FROM webhook_deliveries
WHERE business_id = $1 AND mode = $2 AND endpoint_id = $3 AND due_at IS NULL GROUP BY state
UNION ALL SELECT state, count(*) FROM webhook_deliveries
WHERE business_id = $1 AND mode = $2 AND endpoint_id = $3 AND due_at IS NOT NULL GROUP BY state
"""

Pair = tuple[str, str]
"""The ids of an event and of an endpoint."""


async def deliveries_of(read: Read, tenant: Tenant, event_ids: list[str]) -> list[Delivery]:
    """Return the deliveries of events with every try, those to the oldest endpoint first."""
    tried: dict[Pair, list[DeliveryAttempt]] = defaultdict(list)
    for row in await read.fetch(_ATTEMPTS, tenant.business_id, tenant.mode, event_ids):
        values = dict(row)
        tried[values.pop("event_id"), values.pop("endpoint_id")].append(msgspec.convert(values, DeliveryAttempt))
    rows = await read.fetch(_DELIVERIES, tenant.business_id, tenant.mode, event_ids)
    return [
        msgspec.convert(dict(row) | {"attempts": tried[row["event_id"], row["endpoint_id"]]}, Delivery) for row in rows
    ]


async def count_deliveries(read: Read, tenant: Tenant, endpoint_id: str) -> dict[str, int]:
    """Return how many deliveries to an endpoint are in which state, as far as the log is kept."""
    rows = await read.fetch(_COUNTS, tenant.business_id, tenant.mode, endpoint_id)
    return {row["state"]: row["number"] for row in rows}


async def find_replayed(read: Read, tenant: Tenant, replay: Replay, limit: int) -> list[Pair]:
    """Return what a replay would schedule, the oldest events first, at most `limit`."""
    rows = await read.fetch(
        _REPLAYED,
        tenant.business_id,
        tenant.mode,
        replay.event_id,
        replay.endpoint_id,
        replay.since,
        replay.until,
        None if replay.types is None else list(replay.types),
        replay.what,
        limit,
    )
    return [(row["event_id"], row["endpoint_id"]) for row in rows]


async def schedule(tx: Tx, tenant: Tenant, pairs: list[Pair], at: datetime) -> None:
    """Make deliveries due, from the first step of the ladder; what waits already is left as it is."""
    events, endpoints = [event for event, _ in pairs], [endpoint for _, endpoint in pairs]
    await tx.execute(_SCHEDULE, tenant.business_id, tenant.mode, events, endpoints, at)


async def purge_deliveries(tx: Tx, tenant: Tenant, before: datetime, limit: int) -> None:
    """Delete some of the deliveries that ended before that moment, with their tries."""
    await tx.execute(_PURGE, tenant.business_id, tenant.mode, before, limit)


async def purge_endpoints(tx: Tx, tenant: Tenant, before: datetime) -> None:
    """Delete the rows of endpoints that were deleted before that moment and have no log any more."""
    await tx.execute(_FORGET_ENDPOINTS, tenant.business_id, tenant.mode, before)
