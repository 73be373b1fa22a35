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


_FORGET: Final = "DELETE FROM pgqueuer_log WHERE created < now() - $1::interval"


async def enqueue(tx: Tx, job: str, payload: bytes, dedupe_key: str) -> None:
    """Add a job, unless one with this key waits or runs already."""
    await tx.execute(_ENQUEUE, job, payload, dedupe_key)


async def forget_ended(tx: Tx, age: timedelta) -> None:
    """Delete what the library noted about jobs that long ago. Jobs that wait are not touched."""
    await tx.execute(_FORGET, age)
