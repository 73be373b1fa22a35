"""Deliveries: rows that are due until they have arrived or failed permanently, and the record of every try."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from nicobar.core.business.business_clock import Reckoning
from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import Event
from nicobar.core.webhooks.delivery import DeliveryAttempt, DueDelivery
from nicobar.storage.database import Read, Tx
from nicobar.storage.due_work import Claim

PLACES: Final = 20
"""Deliveries to one endpoint that one process works on side by side."""

PLACES_WHILE_FAILING: Final = 2
"""As many as that to an endpoint at which the last try failed: enough to find out when it is well again."""

# Takes what is due, endpoint by endpoint, so that a long queue at one keeps nobody waiting. Endpoints with a rate limit
# are locked for the moment, because their count is shared by all processes; another one passes them over meanwhile.
# Rows are updated where they were locked, because a join would be free to read the whole table; one that was changed
# since the statement began is not there any more, and is taken with the next look.
_CLAIM: Final = """
WITH busy AS (
    SELECT * FROM unnest($3::text[], $4::integer[]) AS b (endpoint_id, running)
), own AS (
    SELECT * FROM unnest($7::text[], $8::timestamptz[]) AS o (business_id, now)
), limited AS (
    SELECT business_id, mode, endpoint_id,
        rate_limit - CASE WHEN second = date_trunc('second', $1::timestamptz) THEN second_count ELSE 0 END AS allowed
    FROM webhook_endpoints WHERE rate_limit > 0 AND deleted_at IS NULL AND NOT disabled FOR NO KEY UPDATE SKIP LOCKED
), free AS (
    SELECT e.business_id, e.mode, e.endpoint_id, coalesce(o.now, $1) AS now, least(
        CASE WHEN e.failing_since IS NULL THEN $5::integer ELSE $6::integer END - coalesce(b.running, 0), l.allowed
    ) AS places
    FROM webhook_endpoints e LEFT JOIN busy b USING (endpoint_id)
    LEFT JOIN limited l USING (business_id, mode, endpoint_id)
    LEFT JOIN own o ON o.business_id = e.business_id AND e.mode = 'test'
    WHERE e.deleted_at IS NULL AND NOT e.disabled
      AND (o.now IS NOT NULL OR NOT (e.mode = 'test' AND e.business_id = ANY($9::text[])))
      AND (coalesce(e.rate_limit, 0) = 0 OR l.endpoint_id IS NOT NULL)
), taken AS (
    SELECT d.* FROM free f CROSS JOIN LATERAL (
        SELECT w.ctid AS place, w.business_id, w.mode, w.event_id, w.endpoint_id, w.due_at AS due
        FROM webhook_deliveries w
        WHERE w.business_id = f.business_id AND w.mode = f.mode AND w.endpoint_id = f.endpoint_id AND w.due_at <= f.now
        ORDER BY w.due_at LIMIT greatest(f.places, 0) FOR UPDATE SKIP LOCKED
    ) d
), claimed AS (
    UPDATE webhook_deliveries w SET tries = tries + 1, due_at = $2::interval
        + coalesce((SELECT o.now FROM own o WHERE o.business_id = w.business_id AND w.mode = 'test'), $1)
    WHERE ctid = ANY (ARRAY(SELECT place FROM taken))
    RETURNING business_id, mode, event_id, endpoint_id, tries
), counted AS (
    UPDATE webhook_endpoints e SET second = date_trunc('second', $1::timestamptz),
        second_count = c.number + CASE WHEN second = date_trunc('second', $1::timestamptz) THEN second_count ELSE 0 END
    FROM (SELECT business_id, mode, endpoint_id, count(*) AS number FROM claimed GROUP BY 1, 2, 3) c
    WHERE e.rate_limit > 0 AND (e.business_id, e.mode, e.endpoint_id) = (c.business_id, c.mode, c.endpoint_id)
)
SELECT business_id, mode, event_id, endpoint_id, c.tries, t.due
FROM claimed c JOIN taken t USING (business_id, mode, event_id, endpoint_id)
"""

NEWEST: Final = """NOT EXISTS (
        SELECT FROM (
            SELECT e.object_id
            UNION ALL SELECT r.refund_id FROM refunds r
            WHERE r.payment_id = e.object_id AND r.business_id || '' = $1 AND r.mode || '' = $2
            UNION ALL SELECT q.dispute_id FROM disputes q
            WHERE q.payment_id = e.object_id AND q.business_id || '' = $1 AND q.mode || '' = $2
        ) o CROSS JOIN LATERAL (
            SELECT FROM events n
            WHERE n.object_id = o.object_id AND n.business_id = $1 AND n.mode = $2 AND n.number > e.number OFFSET 0
        ) newer
    )"""
"""Whether nothing was told since about the object of event `e`, nor about what belongs to it."""

# `OFFSET 0` has each row looked up by its key, whatever PostgreSQL believes about the size of a table, and `|| ''`
# keeps it from reading all rows of a tenant: without statistics it takes that for as good.
_LOAD: Final = f"""
SELECT d.event_id, d.message_id, d.step, d.tries, e.type, e.object_id,
    convert_to(e.payload::text, 'UTF8') AS payload, e.created_at,
    p.url, p.secret, p.previous_secret, p.previous_ends_at, p.headers, p.failing_since,
    {NEWEST} AS is_newest
FROM webhook_endpoints p CROSS JOIN json_array_elements_text($4) AS asked (event_id)
CROSS JOIN LATERAL (
    SELECT event_id, message_id, step, tries FROM webhook_deliveries
    WHERE business_id = $1 AND mode = $2 AND event_id = asked.event_id AND endpoint_id = $3 AND state = 'waiting'
    OFFSET 0
) d
CROSS JOIN LATERAL (
    SELECT type, object_id, payload, created_at, number FROM events
    WHERE business_id = $1 AND mode = $2 AND event_id = asked.event_id OFFSET 0
) e
WHERE p.business_id = $1 AND p.mode = $2 AND p.endpoint_id = $3 AND p.deleted_at IS NULL AND NOT p.disabled
"""

# A row that another has taken since, or that was stopped meanwhile, keeps its state unless the try arrived. Deliveries
# are locked in the order in which they are given, and the endpoint after the last of them: `count(*)` sees to that.
# What is given is narrowed to the endpoint, so that PostgreSQL expects one row, and looks each up by its key.
_RECORD: Final = """
WITH given AS MATERIALIZED (
    SELECT * FROM json_to_recordset($4) AS g(
        endpoint_id text, event_id text, tries integer, attempted_at timestamptz, duration_ms integer, status integer,
        answer text, reason text, next_at timestamptz)
    WHERE endpoint_id = $3
), locked AS MATERIALIZED (
    SELECT g.* FROM given g CROSS JOIN LATERAL (
        SELECT FROM webhook_deliveries w
        WHERE w.business_id = $1 AND w.mode = $2 AND w.event_id = g.event_id AND w.endpoint_id = g.endpoint_id
        FOR NO KEY UPDATE
    ) w
), delivery AS (
    UPDATE webhook_deliveries w SET attempts = w.attempts + 1, updated_at = g.attempted_at,
        step = CASE WHEN w.tries = g.tries THEN w.step + 1 ELSE w.step END,
        state = CASE
            WHEN g.reason IS NULL THEN 'delivered'
            WHEN w.state = 'waiting' AND w.tries = g.tries AND g.next_at IS NULL THEN 'failed' ELSE w.state END,
        due_at = CASE
            WHEN g.reason IS NULL THEN NULL
            WHEN w.state = 'waiting' AND w.tries = g.tries THEN g.next_at ELSE w.due_at END
    FROM locked g
    WHERE (w.business_id, w.mode, w.event_id, w.endpoint_id) = ($1, $2, g.event_id, g.endpoint_id)
    RETURNING g.*, w.attempts
), tried AS (
    INSERT INTO webhook_attempts (business_id, mode, event_id, endpoint_id, number, attempted_at, duration_ms, status,
        answer, reason, next_at)
    SELECT $1, $2, event_id, endpoint_id, attempts, attempted_at, duration_ms, status, answer, reason, next_at
    FROM delivery
)
UPDATE webhook_endpoints SET failing_since = CASE WHEN $5 THEN $6 ELSE coalesce(failing_since, $6) END
WHERE business_id = $1 AND mode = $2 AND endpoint_id = $3 AND (SELECT count(*) FROM delivery) >= 0
  AND failing_since IS DISTINCT FROM CASE WHEN $5 THEN $6::timestamptz ELSE coalesce(failing_since, $6) END
"""

# Locks in the order in which tries are recorded.
_STOP: Final = """
WITH locked AS (
    SELECT event_id FROM webhook_deliveries
    WHERE business_id = $1 AND mode = $2 AND endpoint_id = $3 AND due_at IS NOT NULL
    ORDER BY event_id || '' FOR UPDATE
)
UPDATE webhook_deliveries d SET state = 'stopped', due_at = NULL, updated_at = $4
WHERE d.business_id = $1 AND d.mode = $2 AND d.endpoint_id = $3 AND d.due_at IS NOT NULL
  AND (SELECT count(*) FROM locked) > 0
"""

_GIVE_UP: Final = """
UPDATE webhook_endpoints SET disabled = true, given_up_at = $4, updated_at = $4
WHERE business_id = $1 AND mode = $2 AND endpoint_id = $3 AND NOT disabled AND deleted_at IS NULL
  AND failing_since <= $5
RETURNING true
"""


async def claim_deliveries(
    tx: Tx, reckoned: Sequence[Reckoning], lease: timedelta, running: Mapping[str, int]
) -> list[Claim]:
    """Take what is due, at most `PLACES` for each endpoint less what is `running` there; the longest due first.

    The first of `reckoned` is that in real time. The lease is minutes at most: an interval without days.
    """
    real, *own = reckoned
    businesses, nows = [each.business_id for each in own], [each.now for each in own]
    places = (list(running), list(running.values()), PLACES, PLACES_WHILE_FAILING)
    found = await tx.fetch(_CLAIM, real.now, lease, *places, businesses, nows, list(real.others))
    found.sort(key=lambda row: row["due"])
    return [
        Claim(Tenant(row["business_id"], row["mode"]), (row["event_id"], row["endpoint_id"]), row["tries"])
        for row in found
    ]


async def load_due(read: Read, tenant: Tenant, endpoint_id: str, event_ids: list[str]) -> list[DueDelivery | None]:
    """Return what a try of each event needs, in their order; None where nothing is to be sent any more."""
    found: dict[str, DueDelivery] = {}
    for row in await read.fetch(_LOAD, tenant.business_id, tenant.mode, endpoint_id, event_ids):
        values = dict(row)
        event = Event(**{name: values.pop(name) for name in Event.__struct_fields__})
        found[event.event_id] = DueDelivery(event=event, **values)
    return [found.get(event_id) for event_id in event_ids]


class Try(msgspec.Struct, frozen=True):
    """What became of a try."""

    event_id: str
    tries: int
    """The number that the row was taken with: who comes late, after the lease, changes no plan of the next one."""
    attempt: DeliveryAttempt
    """Its number is counted where it is stored."""


class _TryRow(DeliveryAttempt, frozen=True, kw_only=True):
    """A try, as the statement reads it."""

    endpoint_id: str
    event_id: str
    tries: int


async def record_tries(tx: Tx, tenant: Tenant, endpoint_id: str, made: Sequence[Try]) -> None:
    """Keep tries of one endpoint, given in the order in which they ended, and move their deliveries on: all or none.

    The endpoint fails since the first failure after its last success. Raises ValueError, and keeps none, when an event
    was tried twice: one statement changes a delivery once.
    """
    arrived, failing_since = False, None
    for attempt in (one.attempt for one in made):
        if attempt.reason is None:
            arrived, failing_since = True, None
        elif failing_since is None:
            failing_since = attempt.attempted_at
    rows = [_try_row(endpoint_id, one) for one in sorted(made, key=lambda one: one.event_id)]
    if len({row.event_id for row in rows}) < len(rows):
        raise ValueError("an event was tried twice")
    await tx.execute(_RECORD, tenant.business_id, tenant.mode, endpoint_id, rows, arrived, failing_since)


def _try_row(endpoint_id: str, made: Try) -> _TryRow:
    attempt = msgspec.structs.asdict(made.attempt)
    return _TryRow(**attempt, endpoint_id=endpoint_id, event_id=made.event_id, tries=made.tries)


async def stop_deliveries(tx: Tx, tenant: Tenant, endpoint_id: str, at: datetime) -> None:
    """End what is on its way to an endpoint."""
    await tx.execute(_STOP, tenant.business_id, tenant.mode, endpoint_id, at)


async def give_up(tx: Tx, tenant: Tenant, endpoint_id: str, at: datetime, failing_until: datetime) -> bool:
    """Disable an endpoint that has been failing since `failing_until` or longer; False when it has not."""
    return bool(await tx.fetchval(_GIVE_UP, tenant.business_id, tenant.mode, endpoint_id, at, failing_until))
