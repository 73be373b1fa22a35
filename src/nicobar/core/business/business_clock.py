"""The time of a business's test mode: real time, or ahead of it, and standing still while it is being moved."""

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec


class BusinessClock(msgspec.Struct, frozen=True, kw_only=True):
    """The clock of one test mode."""

    business_id: str
    ahead: timedelta = timedelta()
    """How far it is ahead of real time while it runs."""
    stands_at: datetime | None = None
    """Where it stands while what was due on the way is being done."""
    moving_to: datetime | None = None
    """Where it is being moved to; None when nobody moves it."""
    began_at: datetime | None = None
    """Where the latest move began."""
    began_after: int = 0
    """The number of the newest event when the latest move began."""
    ended_at: datetime | None = None
    """Where the latest move ended; None as long as it has not."""
    moved_at: datetime | None = None
    """When it was moved last, in real time."""
    complete_until: datetime | None = None
    """Until when the books were complete when the latest move began, in its own time."""
    resets: int = 0
    """How often the test mode was emptied."""

    def moment(self, real: datetime) -> datetime:
        """Return its time at a moment of real time."""
        return real + self.ahead if self.stands_at is None else self.stands_at


class Reckoning(NamedTuple):
    """Whose rows are compared with which time."""

    now: datetime
    business_id: str | None = None
    """Whose test mode is meant; None for all that lives in real time."""
    others: tuple[str, ...] = ()
    """The businesses whose test mode has a time of its own, and is not meant by None."""
