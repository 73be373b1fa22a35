"""What happened in a test mode while its clock was moved: told by what it left, so a crash forgets nothing."""

from datetime import datetime
from typing import Final

from nicobar.core.business.business_clock import BusinessClock
from nicobar.core.test_mode.happening import Happening
from nicobar.storage.database import Read

_HAPPENINGS: Final = """
WITH happened AS (
    SELECT created_at AS at, 1 AS rank, number, type, object_id FROM events
    WHERE business_id = $1 AND mode = 'test' AND number > $2 AND created_at <= $4
    UNION ALL
    SELECT updated_at, 2, 0, 'discount.released', discount_id FROM discount_redemptions
    WHERE business_id = $1 AND mode = 'test' AND state = 'released' AND updated_at BETWEEN $3 AND $4
        AND reserved_until BETWEEN $3 AND $4
    UNION ALL
    SELECT attempted_at, 3, e.number, CASE WHEN reason IS NULL THEN 'webhook.retried' ELSE 'webhook.failed' END,
        event_id
    FROM webhook_attempts a JOIN events e USING (business_id, mode, event_id)
    WHERE a.business_id = $1 AND a.mode = 'test' AND attempted_at BETWEEN $3 AND $4
        AND (a.number > 1 OR reason IS NOT NULL)
    UNION ALL
    SELECT given_up_at, 4, 0, 'webhook.disabled', endpoint_id FROM webhook_endpoints
    WHERE business_id = $1 AND mode = 'test' AND given_up_at BETWEEN $3 AND $4
)
SELECT at, type, object_id, count(*) OVER () AS count FROM happened
ORDER BY at, rank, number, object_id LIMIT $5
"""


async def list_happenings(read: Read, clock: BusinessClock, now: datetime, limit: int) -> tuple[list[Happening], int]:
    """Return what the latest move of a clock has brought about so far, the first `limit`; and how many there are."""
    if clock.began_at is None:
        return [], 0
    values = (clock.business_id, clock.began_after, clock.began_at, clock.ended_at or now, limit)
    rows = [dict(row) for row in await read.fetch(_HAPPENINGS, *values)]
    count = rows[0]["count"] if rows else 0
    return [Happening(at=row["at"], type=row["type"], object_id=row["object_id"]) for row in rows], count
