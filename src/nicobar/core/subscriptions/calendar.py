"""The dates of a subscription: every one follows from an anchor (contract, "Dates and billing cycles")."""

from calendar import monthrange
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

Interval = Literal["Day", "Week", "Month", "Year"]
"""The contract's units of a billing cycle and of a term."""

_DAYS: Final = {"Day": 1, "Week": 7}
_MONTHS: Final = {"Month": 1, "Year": 12}

SECOND: Final = timedelta(seconds=1)


class Span(msgspec.Struct, frozen=True):
    """A length of time by the calendar, such as one month or two years."""

    count: int
    interval: Interval


class ServicePeriod(msgspec.Struct, frozen=True):
    """A stretch of time that a charge pays for: `starts_at` is in it, `ends_at` is not."""

    starts_at: datetime
    ends_at: datetime

    @property
    def seconds(self) -> int:
        """Its length."""
        return (self.ends_at - self.starts_at) // SECOND


def after(anchor: datetime, span: Span, times: int = 1) -> datetime:
    """Return the moment `times` spans after the anchor.

    Days and weeks are multiples of 24 hours. Months and years keep the time of day and the anchor's day of the month;
    where a month lacks that day, its last day stands for it. So nothing drifts: 31 January is followed by 28 February
    and 31 March. Raises OverflowError or ValueError beyond the year 9999.
    """
    count = span.count * times
    if span.interval in _DAYS:
        return anchor + timedelta(days=_DAYS[span.interval] * count)
    months = anchor.year * 12 + anchor.month - 1 + _MONTHS[span.interval] * count
    year, month = months // 12, months % 12 + 1
    return anchor.replace(year=year, month=month, day=min(anchor.day, monthrange(year, month)[1]))


def first_after(anchor: datetime, span: Span, number: int, moment: datetime) -> int:
    """Return the number of the first due date, from `number` on, that is later than `moment`."""
    while after(anchor, span, number) <= moment:
        number += 1
    return number
