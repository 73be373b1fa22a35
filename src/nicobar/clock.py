"""The only caller of the system clock and of the system's randomness.

Everything below the edges takes time and random bytes as arguments, so that tests repeat and time can travel.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the edges need from the outside world: the time and fresh randomness."""

    def now(self) -> datetime:
        """Return the present moment in UTC, cut to microseconds as PostgreSQL stores it."""

    def elapsed(self) -> timedelta:
        """Return the time since some moment of this process's past, which no correction of the clock touches.

        What a process counts in its own memory it counts by this one: a clock that is set back must lock nobody out.
        """

    def random_bits(self, count: int) -> int:
        """Return `count` cryptographically random bits as an integer."""

    def random_bytes(self, count: int) -> bytes:
        """Return `count` cryptographically random bytes."""


class SystemClock:
    """The real time and the operating system's random source."""

    def now(self) -> datetime:
        """Return the system's time in UTC."""
        return datetime.now(UTC)

    def elapsed(self) -> timedelta:
        """Return the time of the system's monotonic clock."""
        return timedelta(seconds=time.monotonic())

    def random_bits(self, count: int) -> int:
        """Return random bits from the operating system."""
        return int.from_bytes(os.urandom((count + 7) // 8), "big") >> -count % 8

    def random_bytes(self, count: int) -> bytes:
        """Return random bytes from the operating system."""
        return os.urandom(count)
