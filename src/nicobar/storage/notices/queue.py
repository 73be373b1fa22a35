"""The queue of jobs, which the library pgqueuer works off. A job is committed together with what makes it necessary."""

from datetime import timedelta
from typing import Final

from nicobar.storage.database import Tx

# The library's own statement also writes a line of its log, and its JSON codec is not the one of our connections.
_ENQUEUE: Final = """
INSERT INTO pgqueuer (priority, entrypoint, payload, dedupe_key, status)
VALUES (0, $1, $2, $3, 'queued')
ON CONFLICT (dedupe_key)
    WHERE status = ANY (ARRAY['queued'::pgqueuer_status, 'picked'::pgqueuer_status]) AND dedupe_key IS NOT NULL
    DO NOTHING
"""

# A key is queued once: where it waits again already, the job that is held has nothing to do any more.
_RESUME: Final = """
WITH resumed AS (
    UPDATE pgqueuer h SET status = 'queued', execute_after = now(), updated = now(), queue_manager_id = NULL
    WHERE h.status = 'failed' AND NOT EXISTS (
        SELECT FROM pgqueuer o WHERE o.dedupe_key = h.dedupe_key AND o.id <> h.id
            AND (o.status IN ('queued', 'picked') OR o.id < h.id))
    RETURNING true
)
SELECT count(*) FROM resumed
"""

_FORGET: Final = "DELETE FROM pgqueuer_log WHERE created < now() - $1::interval"


async def enqueue(tx: Tx, job: str, payload: bytes, dedupe_key: str) -> None:
    """Add a job, unless one with this key waits or runs already."""
    await tx.execute(_ENQUEUE, job, payload, dedupe_key)


async def resume_held(tx: Tx) -> int:
    """Queue the jobs again that the library holds because it could not note their next try; return how many."""
    count: int = await tx.fetchval(_RESUME)
    return count


async def forget_ended(tx: Tx, age: timedelta) -> None:
    """Delete what the library noted about jobs that long ago. Jobs that wait are not touched."""
    await tx.execute(_FORGET, age)
