"""How often somebody may try: a brake for guesses and floods, in the memory of one process and by a monotonic clock."""

from collections import OrderedDict
from datetime import timedelta
from math import ceil
from typing import Final

from nicobar.core.counted import counted
from nicobar.core.problems import Problem

REMEMBERED: Final = 10_000
"""Links or addresses that one allowance remembers; beyond that, the one that tried longest ago is forgotten."""


class Allowance:
    """So many tries in a period for each key, refilled evenly: a token bucket.

    What is remembered of a key is the moment at which its bucket is full again; a full one needs no memory. Moments are
    those of `Clock.elapsed`. A key of None stands for nobody, who has no bucket.
    """

    def __init__(self, tries: int, period: timedelta, remembered: int = REMEMBERED) -> None:
        self._period = period
        self._interval = period / tries
        self._remembered = remembered
        self._full_at: OrderedDict[str, timedelta] = OrderedDict()

    def wait(self, key: str | None, now: timedelta) -> int:
        """Return the seconds until the key has a try left, rounded up; 0 when it has one now."""
        full_at = None if key is None else self._full_at.get(key)
        if full_at is None:
            return 0
        return max(0, ceil((full_at - now - self._period + self._interval).total_seconds()))

    def spend(self, key: str | None, now: timedelta) -> None:
        """Take one try of the key, whether it has one left or not."""
        if key is None:
            return
        full_at = max(self._full_at.get(key, now), now) + self._interval
        self._full_at[key] = min(full_at, now + self._period)
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._remembered:
            self._full_at.popitem(last=False)

    def take(self, key: str | None, now: timedelta) -> None:
        """Spend a try of the key. Raises Problem TOO_MANY_REQUESTS, and takes none, when it has none left."""
        self.check(key, now)
        self.spend(key, now)

    def give_back(self, key: str | None) -> None:
        """Undo one `spend` of the key."""
        if key is not None and key in self._full_at:
            self._full_at[key] -= self._interval

    def check(self, key: str | None, now: timedelta) -> None:
        """Raise Problem TOO_MANY_REQUESTS when the key has no try left."""
        seconds = self.wait(key, now)
        if seconds:
            raise Problem("TOO_MANY_REQUESTS", after=counted(seconds, "second"), retry_after=seconds)
