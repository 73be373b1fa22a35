"""Freshness: how long one may go by what was read from the database, and who reads it again.

Under load many come in the moment in which a reading grows old. The first of them reads again, and the others go on
with what there is until it is really too old: so the database is asked once, and one request alone waits for it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from nicobar.storage.database import DatabaseUnavailable


class Freshness:
    """The age of what is remembered of one thing. Moments are those of `Clock.elapsed`."""

    def __init__(self, fresh: timedelta, oldest: timedelta) -> None:
        """Take how old it may be before somebody reads it again, and how old while somebody does."""
        self._fresh = fresh
        self._oldest = oldest
        self._lock = asyncio.Lock()
        self._failed = 0
        """How many readings the database did not answer."""
        self.read_at: timedelta | None = None
        """When the last reading began: it saw whatever was committed before that."""

    def suffices(self, now: timedelta) -> bool:
        """Return whether one may go by what is remembered without waiting for `reading`."""
        return self._age(now) < (self._oldest if self._lock.locked() else self._fresh)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Wait for whoever reads it again, and be the one who does.

        Raises DatabaseUnavailable where a reading failed so while this one waited: a database that hangs would be
        waited for by one after the other.
        """
        failed = self._failed
        async with self._lock:
            if self._failed != failed:
                raise DatabaseUnavailable("it did not answer another request that asked the same")
            try:
                yield
            except DatabaseUnavailable:
                self._failed += 1
                raise

    def is_fresh(self, now: timedelta) -> bool:
        """Return whether there is nothing to read again, for who holds `reading`: another has meanwhile."""
        return self._age(now) < self._fresh

    def _age(self, now: timedelta) -> timedelta:
        """Return how old it is: beyond any age when it was never read, or after `now`."""
        return timedelta.max if self.read_at is None or now < self.read_at else now - self.read_at
