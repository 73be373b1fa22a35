"""Deliveries: rows that are due until they have arrived or failed permanently, and the record of every try."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

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
        SELECT w.business_id, w.mode, w.event_id, w.endpoint_id, w.due_at AS due, f.now + $2::interval AS lease_until
        FROM webhook_deliveries w
        WHERE w.business_id = f.business_id AND w.mode = f.mode AND w.endpoint_id = f.endpoint_id AND w.due_at <= f.now
        ORDER BY w.due_at LIMIT greatest(f.places, 0) FOR UPDATE SKIP LOCKED
    ) d
), counted AS (
    UPDATE webhook_endpoints e SET second = date_trunc('second', $1::timestamptz),
        second_count = t.number + CASE WHEN second = date_trunc('second', $1::timestamptz) THEN second_count ELSE 0 END
    FROM (SELECT business_id, mode, endpoint_id, count(*) AS number FROM taken GROUP BY 1, 2, 3) t
    WHERE e.rate_limit > 0 AND (e.business_id, e.mode, e.endpoint_id) = (t.business_id, t.mode, t.endpoint_id)
)
UPDATE webhook_deliveries d SET due_at = t.lease_until, tries = d.tries + 1 FROM taken t
WHERE (d.business_id, d.mode, d.event_id, d.endpoint_id) = (t.business_id, t.mode, t.event_id, t.endpoint_id)
RETURNING d.business_id, d.mode, d.event_id, d.endpoint_id, d.tries, t.due
"""

NEWEST: Final = """NOT EXISTS (
        SELECT FROM events n WHERE n.business_id = $1 AND n.mode = $2 AND n.number > e.number
        AND n.object_id IN (
            SELECT e.object_id
            UNION ALL SELECT r.refund_id FROM refunds r
            WHERE r.business_id = $1 AND r.mode = $2 AND r.payment_id = e.object_id
            UNION ALL SELECT q.dispute_id FROM disputes q
            WHERE q.business_id = $1 AND q.mode = $2 AND q.payment_id = e.object_id)
    )"""
"""Whether nothing was told since about the object of event `e`, nor about what belongs to it."""

_LOAD: Final = f"""
SELECT d.message_id, d.step, d.tries, e.event_id, e.type, e.object_id,
    convert_to(e.payload::text, 'UTF8') AS payload, e.created_at,
    p.url, p.secret, p.previous_secret, p.previous_ends_at, p.headers, p.failing_since,
    {NEWEST} AS is_newest
FROM webhook_deliveries d
JOIN events e USING (business_id, mode, event_id)
JOIN webhook_endpoints p USING (business_id, mode, endpoint_id)
WHERE d.business_id = $1 AND d.mode = $2 AND d.event_id = $3 AND d.endpoint_id = $4
  AND d.state = 'waiting' AND p.deleted_at IS NULL AND NOT p.disabled
"""

# A row that another has taken since, or that was stopped meanwhile, keeps its state unless the try arrived.
_RECORD: Final = """
WITH delivery AS (
    UPDATE webhook_deliveries SET attempts = attempts + 1, updated_at = $5,
        step = CASE WHEN tries = $6 THEN step + 1 ELSE step END,
        state = CASE WHEN $11 THEN 'delivered'
                     WHEN state = 'waiting' AND tries = $6 AND $10::timestamptz IS NULL THEN 'failed' ELSE state END,
        due_at = CASE WHEN $11 THEN NULL WHEN state = 'waiting' AND tries = $6 THEN $10 ELSE due_at END
    WHERE business_id = $1 AND mode = $2 AND event_id = $3 AND endpoint_id = $4
    RETURNING attempts
), tried AS (
    INSERT INTO webhook_attempts (business_id, mode, event_id, endpoint_id, number, attempted_at, duration_ms, status,
        answer, reason, next_at)
    SELECT $1, $2, $3, $4, attempts, $5, $7, $8, $9, $12, $10 FROM delivery
)
UPDATE webhook_endpoints SET failing_since = CASE WHEN $11 THEN NULL ELSE $5 END
WHERE business_id = $1 AND mode = $2 AND endpoint_id = $4 AND (failing_since IS NOT NULL) = $11
"""

_STOP: Final = """
UPDATE webhook_deliveries SET state = 'stopped', due_at = NULL, updated_at = $4
WHERE business_id = $1 AND mode = $2 AND endpoint_id = $3 AND due_at IS NOT NULL
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


async def load_due(read: Read, tenant: Tenant, event_id: str, endpoint_id: str) -> DueDelivery | None:
    """Return what a try needs; None when nothing is to be sent any more."""
    row = await read.fetchrow(_LOAD, tenant.business_id, tenant.mode, event_id, endpoint_id)
    if row is None:
        return None
    values = dict(row)
    event = Event(**{name: values.pop(name) for name in Event.__struct_fields__})
    return DueDelivery(event=event, **values)


async def record_attempt(
    tx: Tx, tenant: Tenant, event_id: str, endpoint_id: str, tries: int, attempt: DeliveryAttempt
) -> None:
    """Keep a try and move its delivery on, in one statement. The number of the try is counted here.

    `tries` is the number that the row was taken with: who comes late, after the lease, changes no plan of the next one.
    """
    await tx.execute(
        _RECORD,
        tenant.business_id,
        tenant.mode,
        event_id,
        endpoint_id,
        attempt.attempted_at,
        tries,
        attempt.duration_ms,
        attempt.status,
        attempt.answer,
        attempt.next_at,
        attempt.reason is None,
        attempt.reason,
    )


async def stop_deliveries(tx: Tx, tenant: Tenant, endpoint_id: str, at: datetime) -> None:
    """End what is on its way to an endpoint."""
    await tx.execute(_STOP, tenant.business_id, tenant.mode, endpoint_id, at)


async def give_up(tx: Tx, tenant: Tenant, endpoint_id: str, at: datetime, failing_until: datetime) -> bool:
    """Disable an endpoint that has been failing since `failing_until` or longer; False when it has not."""
    return bool(await tx.fetchval(_GIVE_UP, tenant.business_id, tenant.mode, endpoint_id, at, failing_until))
