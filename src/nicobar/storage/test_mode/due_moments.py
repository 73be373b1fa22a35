"""What is due next in a test mode, of everything that time alone brings about."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from nicobar.core.business.tenant import Tenant
from nicobar.storage.database import Read, Tx
from nicobar.storage.due_work import DueRows
from nicobar.storage.simulator.simulator import LARGEST_TRIES

DueKind = Literal["links", "notices", "inbox", "attempts", "refunds", "returns", "subscriptions", "codes", "deliveries"]
"""Kinds of what can be due, in the order in which they are done at one moment."""


class Due(NamedTuple):
    """What is due next."""

    kind: DueKind
    at: datetime


# The processor is queried about what is in doubt as by the sweep, but less and less often, whatever it answered: while
# a clock is moved nobody waits for the answer.
_PAUSE: Final = "least(updated_at - created_at, interval '1 hour') + $3::interval"

_NEXT: Final = f"""
SELECT kind, at FROM (
    (SELECT 1 AS rank, 'links' AS kind, expires_on AS at FROM payments p
    WHERE business_id = $1 AND mode = 'test' AND status = 'requires_payment_method' AND NOT EXISTS (
        SELECT FROM attempts a WHERE (a.business_id, a.mode, a.payment_id) = (p.business_id, p.mode, p.payment_id)
            AND a.resolved_at IS NULL)
    ORDER BY expires_on LIMIT 1)
    UNION ALL (SELECT 2, 'notices', due_at FROM simulator.notices
    WHERE business_id = $1 AND sent_at IS NULL AND tries < {LARGEST_TRIES} ORDER BY due_at LIMIT 1)
    UNION ALL (SELECT 3, 'inbox', min(due_at) FROM notices
    WHERE business_id = $1 AND mode = 'test' AND due_at IS NOT NULL)
    UNION ALL (SELECT 4, 'attempts', min(updated_at + {_PAUSE}) FROM attempts
    WHERE business_id = $1 AND mode = 'test' AND resolved_at IS NULL)
    UNION ALL (SELECT 5, 'refunds', min(updated_at + {_PAUSE}) FROM refunds
    WHERE business_id = $1 AND mode = 'test' AND status = 'pending')
    UNION ALL (SELECT 6, 'returns', min(return_due_at) FROM attempts
    WHERE business_id = $1 AND mode = 'test' AND return_due_at IS NOT NULL)
    UNION ALL (SELECT 7, 'subscriptions', due_at FROM subscriptions
    WHERE business_id = $1 AND mode = 'test' AND due_at IS NOT NULL ORDER BY due_at LIMIT 1)
    UNION ALL (SELECT 8, 'codes', min(r.reserved_until)
    FROM discount_redemptions r JOIN payments p USING (business_id, mode, payment_id)
    WHERE r.business_id = $1 AND r.mode = 'test' AND r.state = 'reserved' AND p.status IN ('failed', 'cancelled'))
    UNION ALL (SELECT 9, 'deliveries', min(d.due_at)
    FROM webhook_deliveries d JOIN webhook_endpoints e USING (business_id, mode, endpoint_id)
    WHERE d.business_id = $1 AND d.mode = 'test' AND d.due_at IS NOT NULL AND e.deleted_at IS NULL AND NOT e.disabled)
) due WHERE at <= $2 ORDER BY at, rank LIMIT 1
"""

_ROWS: Final = """
SELECT {key}, {tries} AS tries FROM {table} WHERE business_id = $1 AND mode = $2 AND {due} <= $3
ORDER BY {due}, {key} LIMIT $4
"""

_PUT_OFF: Final = """
UPDATE {table} SET {due} = ${at}, {tries} = {tries} + 1 WHERE ({key}) = ({values}) AND {due} <= ${now}
"""

_DELIVERIES: Final = """
SELECT d.endpoint_id, d.event_id, d.tries, e.rate_limit
FROM webhook_deliveries d JOIN webhook_endpoints e USING (business_id, mode, endpoint_id)
JOIN events v USING (business_id, mode, event_id)
WHERE d.business_id = $1 AND d.mode = 'test' AND d.due_at <= $2 AND e.deleted_at IS NULL AND NOT e.disabled
ORDER BY d.due_at, v.number, d.endpoint_id LIMIT $3
"""

_UNANSWERED: Final = """
SELECT attempt_id FROM attempts
WHERE business_id = $1 AND mode = 'test' AND resolved_at IS NULL AND outcome IS NULL
    AND ($2::timestamptz IS NULL OR created_at > $2) ORDER BY attempt_id
"""

_HOLD: Final = "SELECT pg_try_advisory_lock(hashtextextended('nicobar test clock ' || $1, 0))"
_LET_GO: Final = "SELECT pg_advisory_unlock(hashtextextended('nicobar test clock ' || $1, 0))"


async def next_due(read: Read, business_id: str, until: datetime, silence: timedelta) -> Due | None:
    """Return what is due first, at `until` at the latest; None when nothing is."""
    row = await read.fetchrow(_NEXT, business_id, until, silence)
    return None if row is None else Due(row["kind"], row["at"])


async def due_rows(
    read: Read, rows: DueRows, tenant: Tenant, now: datetime, limit: int
) -> list[tuple[tuple[str, ...], int]]:
    """Return the keys of rows that are due with how often they were tried, the longest due first. None is taken."""
    query = _ROWS.format(table=rows.table, key=", ".join(rows.key), due=rows.due, tries=rows.tries)
    found = await read.fetch(query, tenant.business_id, tenant.mode, now, limit)
    return [(tuple(row[column] for column in rows.key), row["tries"]) for row in found]


async def put_off_due(
    tx: Tx, rows: DueRows, tenant: Tenant, key: tuple[str, ...], now: datetime, until: datetime
) -> None:
    """Make a row that is due later; nothing changes when it is done."""
    values = (tenant.business_id, tenant.mode, *key)
    query = _PUT_OFF.format(
        table=rows.table,
        key=", ".join(("business_id", "mode", *rows.key)),
        due=rows.due,
        tries=rows.tries,
        values=", ".join(f"${number}" for number in range(1, len(values) + 1)),
        now=len(values) + 1,
        at=len(values) + 2,
    )
    await tx.execute(query, *values, now, until)


class DueDeliveryRow(NamedTuple):
    """A delivery that is due."""

    endpoint_id: str
    event_id: str
    tries: int
    rate_limit: int | None


async def due_deliveries(read: Read, business_id: str, now: datetime, limit: int) -> list[DueDeliveryRow]:
    """Return deliveries that are due, in the order of their events."""
    return [DueDeliveryRow(**row) for row in await read.fetch(_DELIVERIES, business_id, now, limit)]


async def unanswered_attempts(read: Read, business_id: str, since: datetime | None = None) -> list[str]:
    """Return attempts, begun after `since`, whose processor has not answered: under way, or whoever asked has died."""
    return [row["attempt_id"] for row in await read.fetch(_UNANSWERED, business_id, since)]


@asynccontextmanager
async def clock_held(read: Read, business_id: str) -> AsyncIterator[bool]:
    """Be the one who moves the clock while the block runs, and this connection lasts; False when there is another."""
    is_held = bool(await read.fetchval(_HOLD, business_id))
    try:
        yield is_held
    finally:
        if is_held and not read.is_closed():
            await read.fetchval(_LET_GO, business_id)
