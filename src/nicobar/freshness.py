"""Freshness: how long one may go by what was read from the database, and who reads it again.

Under load many come in the moment in which a reading grows old. The first of them reads again, and the others go on
with what there is until it is really too old: so the database is asked once, and one request alone waits for it.
"""

import asyncio
from datetime import timedelta


class Freshness:
    """The age of what is remembered of one thing. Moments are those of `Clock.elapsed`."""

    def __init__(self, fresh: timedelta, oldest: timedelta) -> None:
        """Take how old it may be before somebody reads it again, and how old while somebody does."""
        self._fresh = fresh
        self._oldest = oldest
        self.reading = asyncio.Lock()
        """Held by who reads it again."""
        self.read_at: timedelta | None = None
        """When the last reading began: it saw whatever was committed before that."""

    def suffices(self, now: timedelta) -> bool:
        """Return whether one may go by what is remembered without waiting for `reading`."""
        return self._age(now) < (self._oldest if self.reading.locked() else self._fresh)

    def is_fresh(self, now: timedelta) -> bool:
        """Return whether there is nothing to read again, for who holds `reading`: another has meanwhile."""
        return self._age(now) < self._fresh

    def _age(self, now: timedelta) -> timedelta:
        """Return how old it is: beyond any age when it was never read, or after `now`."""
        return timedelta.max if self.read_at is None or now < self.read_at else now - self.read_at
