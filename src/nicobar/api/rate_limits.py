"""How many requests a key may make in each class of operations, over all processes.

A process may serve a twentieth of a window's requests without asking anybody. Beyond that it leases shares, a tenth of
the limit at a time, from the database, whose clock has the windows; the next share is fetched before the last one is
used up, so that requests seldom wait. What was served unasked is reported with the first lease. So all processes
together exceed a limit by at most a twentieth for each of them, and no process asks for every request.
"""

import asyncio
from collections import OrderedDict
from math import ceil
from typing import Final

import structlog

from nicobar.core.business.request_rate import RequestRate
from nicobar.core.counted import counted
from nicobar.core.problems import Problem
from nicobar.flows.business.lease_requests import lease_requests
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import DatabaseUnavailable

REMEMBERED: Final = 10_000
"""Subjects whose windows one process knows; beyond that, the one that asked longest ago is forgotten."""

_UNASKED: Final = 20
_SHARE: Final = 10

_log = structlog.get_logger("nicobar.rate_limits")

LimitHeaders = list[tuple[bytes, bytes]]


class _Window:
    """The second or minute that is running, as one process knows it."""

    def __init__(self, subject: str, seconds: int, limit: int) -> None:
        self.subject, self.seconds, self.limit = subject, seconds, limit
        self.starts_at = float("-inf")
        self.lease: asyncio.Task[None] | None = None
        self._begin(self.starts_at)

    def _begin(self, starts_at: float) -> None:
        self.starts_at = starts_at
        self.used = self.reported = self.taken = 0
        self.allowed = max(1, self.limit // _UNASKED)
        self.is_spent = False

    def roll(self, now: float) -> None:
        """Start again when the window has ended."""
        if now >= self.starts_at + self.seconds:
            self._begin(now - now % self.seconds)

    @property
    def remaining(self) -> int:
        """How many requests are left, as far as this process knows: what others took lately it learns with a lease."""
        return max(0, self.limit - (self.taken - self.reported) - self.used)

    @property
    def share(self) -> int:
        """How many requests to lease: what was served unasked, and what comes next."""
        return max(0, self.used - self.reported) + max(1, self.limit // _SHARE)

    @property
    def runs_low(self) -> bool:
        """Whether the next share should be fetched."""
        return not self.is_spent and self.lease is None and self.allowed - self.used <= self.limit // _SHARE // 2 - 1

    def take(self, starts_at: float, amount: int, taken: int) -> None:
        """Add a share that the database gave; beyond the limit there is nothing. Its clock has the window."""
        if starts_at != self.starts_at:
            self._begin(starts_at)
        if self.reported == 0:
            self.allowed = 0
        granted = max(0, amount - max(0, taken - self.limit))
        self.reported += amount
        self.allowed += granted
        self.taken = taken
        self.is_spent = granted < amount


class RateLimits:
    """The limits of one server process."""

    def __init__(self, runtime: Runtime, rate: RequestRate) -> None:
        self._runtime = runtime
        self._rate = rate
        self._windows: OrderedDict[str, tuple[_Window, _Window]] = OrderedDict()
        self._database_ahead: float | None = None
        """Seconds by which the database's time of day is ahead of this process's monotonic clock."""

    async def admit(self, subject: str, headers: LimitHeaders) -> None:
        """Count one request, and add the headers that tell what is left of the minute.

        `X-RateLimit-Limit` and `X-RateLimit-Remaining` are requests, `X-RateLimit-Reset` is in seconds since 1970.
        Raises Problem TOO_MANY_REQUESTS, with the seconds to wait, when a second's or a minute's requests are used up.
        """
        windows = self._of(subject)
        if self._database_ahead is None:
            await asyncio.shield(self._leasing(windows[1]))
        now = self._now()
        for window in windows:
            window.roll(now)
        for window in windows:
            while window.used >= window.allowed:
                if window.is_spent:
                    self._tell(window, headers, 0)
                    seconds = max(1, ceil(window.starts_at + window.seconds - now))
                    raise Problem("TOO_MANY_REQUESTS", after=counted(seconds, "second"), retry_after=seconds)
                await asyncio.shield(self._leasing(window))
        for window in windows:
            window.used += 1
            if window.runs_low and window.used >= window.limit // _UNASKED // 2:
                self._leasing(window)
        self._tell(windows[1], headers, windows[1].remaining)

    def _of(self, subject: str) -> tuple[_Window, _Window]:
        found = self._windows.get(subject)
        if found is None:
            rate = self._rate
            found = self._windows[subject] = _Window(subject, 1, rate.per_second), _Window(subject, 60, rate.per_minute)
            if len(self._windows) > REMEMBERED:
                self._windows.popitem(last=False)
        self._windows.move_to_end(subject)
        return found

    def _now(self) -> float:
        """Return the database's time, in seconds since 1970."""
        return self._runtime.clock.elapsed().total_seconds() + (self._database_ahead or 0.0)

    def _leasing(self, window: _Window) -> "asyncio.Task[None]":
        """Return the task that fetches the window's next share, started if it does not run."""
        if window.lease is None:
            window.lease = asyncio.create_task(self._lease(window))
            window.lease.add_done_callback(lambda task: _ended(window, task))
        return window.lease

    async def _lease(self, window: _Window) -> None:
        amount = window.share
        taken = await lease_requests(self._runtime, window.subject, window.seconds, amount)
        self._database_ahead = taken.now.timestamp() - self._runtime.clock.elapsed().total_seconds()
        window.take(taken.starts_at.timestamp(), amount, taken.taken)

    def _tell(self, window: _Window, headers: LimitHeaders, remaining: int) -> None:
        headers += [
            (b"x-ratelimit-limit", b"%d" % window.limit),
            (b"x-ratelimit-remaining", b"%d" % remaining),
            (b"x-ratelimit-reset", b"%d" % (window.starts_at + window.seconds)),
        ]


def _ended(window: _Window, task: "asyncio.Task[None]") -> None:
    window.lease = None
    if not task.cancelled() and (error := task.exception()) is not None:
        if not isinstance(error, DatabaseUnavailable):
            raise error
        _log.warning("no_share_leased", why=str(error))
