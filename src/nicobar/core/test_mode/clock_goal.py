"""Where the clock of a test mode is to be moved to."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from nicobar.core.problems import Problem

FURTHEST: Final = timedelta(days=3653)
"""How far a test mode may be ahead of real time: ten years."""

LIVE_HAS_NO_CLOCK: Final = "Live mode goes by real time. Only test mode has a clock: use a test key."
"""What is told to whoever wants to see or move the clock of live mode."""

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([smhdw])")
_NOT_AHEAD: Final = re.compile(r"-[0-9]+[smhdw]?|0+[smhdw]?")


class ClockGoal(NamedTuple):
    """A duration from the present of the test mode, or a moment."""

    by: timedelta | None = None
    to: datetime | None = None

    def target(self, now: datetime, real: datetime) -> datetime:
        """Return the moment that is meant, in a test mode where it is `now`.

        Raises Problem INVALID_REQUEST_PARAMETERS for none, one that is not later, and one beyond `FURTHEST`.
        """
        path = "to" if self.by is None else "advance"
        if self.by is not None and self.by > FURTHEST:
            raise _too_far(real, path)
        moment = now + self.by if self.by is not None else self.to
        if moment is None:
            detail = "Say how far: by `advance`, such as 30d, or to a moment, `to`."
            raise Problem("INVALID_REQUEST_PARAMETERS", path="advance", detail=detail)
        if moment <= now:
            detail = f"The clock only moves forward, and it is {now:%Y-%m-%d %H:%M:%S} UTC there."
            raise Problem("INVALID_REQUEST_PARAMETERS", path=path, detail=detail)
        if moment > real + FURTHEST:
            raise _too_far(real, path)
        return moment


def read_duration(text: str) -> timedelta:
    """Return a duration such as `30d`, `12h` or `90m`. Raises Problem INVALID_REQUEST_PARAMETERS for anything else."""
    found = _DURATION.fullmatch(text)
    if found is None:
        detail = "A duration is a whole number with a unit: 45s, 90m, 12h, 30d or 4w."
        if _NOT_AHEAD.fullmatch(text):
            detail = "The clock only moves forward: give a duration above zero, such as 30d."
        raise Problem("INVALID_REQUEST_PARAMETERS", path="advance", detail=detail)
    try:
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError:
        return timedelta.max


def read_moment(text: str) -> datetime:
    """Return a moment, or the beginning of a day; in UTC unless the text says otherwise.

    Raises Problem INVALID_REQUEST_PARAMETERS for anything else.
    """
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        detail = "It is a day or a moment: 2027-01-31 or 2027-01-31T12:00:00Z."
        raise Problem("INVALID_REQUEST_PARAMETERS", path="to", detail=detail) from error


def _too_far(real: datetime, path: str) -> Problem:
    detail = f"Test mode can be ten years ahead at most: until {real + FURTHEST:%Y-%m-%d}."
    return Problem("INVALID_REQUEST_PARAMETERS", path=path, detail=detail)
