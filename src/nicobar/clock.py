"""The only caller of the system clock and of the system's randomness.

Everything below the edges takes time and random bytes as arguments, so that tests repeat and time can travel.
"""

import secrets
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the edges need from the outside world: the time and fresh randomness."""

    def now(self) -> datetime:
        """Return the present moment in UTC, cut to microseconds as PostgreSQL stores it."""

    def random_bits(self, count: int) -> int:
        """Return `count` cryptographically random bits as an integer."""

    def random_bytes(self, count: int) -> bytes:
        """Return `count` cryptographically random bytes."""


class SystemClock:
    """The real time and the operating system's random source."""

    def now(self) -> datetime:
        """Return the system's time in UTC."""
        return datetime.now(UTC)

    def random_bits(self, count: int) -> int:
        """Return random bits from the operating system."""
        return secrets.randbits(count)

    def random_bytes(self, count: int) -> bytes:
        """Return random bytes from the operating system."""
        return secrets.token_bytes(count)
