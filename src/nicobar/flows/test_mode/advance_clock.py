"""Move the clock of a test mode forward, from one moment at which something is due to the next.

The clock is moved on only after what was due before is done, so whoever goes on after a crash begins where it stands.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from nicobar.core.business.business_clock import BusinessClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.test_mode.clock_goal import LIVE_HAS_NO_CLOCK, ClockGoal
from nicobar.core.test_mode.happening import ClockMove
from nicobar.flows.ledger.read_ledger import COMPLETE_AFTER
from nicobar.flows.payments.ask_about_attempt import SILENCE
from nicobar.flows.runtime import Runtime
from nicobar.flows.test_mode.do_what_is_due import do_what_is_due
from nicobar.flows.test_mode.finish_charges import finish_charges
from nicobar.flows.test_mode.load_move import load_move
from nicobar.storage.database import Tx
from nicobar.storage.test_clocks import (
    REMEMBERED_FOR,
    begin_move,
    end_move,
    get_clock,
    remembered_clocks,
    run_on,
    stand_at,
)
from nicobar.storage.test_mode.due_moments import Due, clock_held, next_due, unanswered_attempts

SETTLING_SECONDS: Final = REMEMBERED_FOR.total_seconds() * 1.5
"""After this time every process knows of a change of the clock: each reads it again after `REMEMBERED_FOR`."""

_STUCK_AFTER: Final = 500
"""The same thing, due at the same moment, that many times in a row: it does not get done."""

Tell = Callable[[datetime, datetime], None]
"""Is called now and then with where the clock stands and its target."""


async def advance_clock(
    runtime: Runtime,
    tenant: Tenant,
    goal: ClockGoal,
    *,
    tell: Tell | None = None,
    patience: timedelta | None = None,
) -> ClockMove:
    """Move the clock, do all that is due on the way, in order, and return what happened.

    A move that was broken off is gone on with, to its own target, whatever the goal is. After `patience` this one
    breaks off itself: the clock stands, and the same call goes on. While it stands its test mode works as always, at
    that moment.

    Raises Problem UNSUPPORTED_ACTION in live mode, TEST_CLOCK_MOVING while another moves it, and
    INVALID_REQUEST_PARAMETERS for a goal that is not ahead; nothing is moved then.
    """
    if tenant.mode != "test":
        raise Problem("UNSUPPORTED_ACTION", detail=LIVE_HAS_NO_CLOCK)
    # What happens on the way belongs to no request.
    walking = runtime._replace(database=runtime.database.shared, first_commit=None)
    async with walking.database.long_read() as holder, clock_held(holder, tenant.business_id) as is_held:
        if not is_held:
            raise Problem("TEST_CLOCK_MOVING")
        is_resumed = await _begin(runtime, tenant, goal)
        await _Walk(walking, tenant, tell).go(patience)
    return await load_move(walking, tenant, is_resumed=is_resumed)


async def _begin(runtime: Runtime, tenant: Tenant, goal: ClockGoal) -> bool:
    """Note the target; return whether there was one from a move that was broken off."""
    remembered, real = remembered_clocks(runtime.database), runtime.real_now()
    async with runtime.database.transaction() as tx:
        clock = await get_clock(tx, tenant.business_id)
        remembered.keep(clock, real)
        if clock.moving_to is not None:
            return True
        now = runtime.now(tenant)
        complete_until = clock.complete_until
        if clock.moved_at is None or complete_until is None or real - clock.moved_at >= COMPLETE_AFTER:
            complete_until = now - COMPLETE_AFTER
        begun = await begin_move(tx, tenant.business_id, goal.target(now, real), now, real, complete_until)
    if begun is None:
        raise Problem("TEST_CLOCK_MOVING")
    remembered.keep(begun, real)
    return False


class _Walk:
    """The way from where the clock is to its target."""

    def __init__(self, runtime: Runtime, tenant: Tenant, tell: Tell | None) -> None:
        self._runtime, self._tenant, self._tell = runtime, tenant, tell
        self._remembered = remembered_clocks(runtime.database)
        self._last: Due | None = None
        self._turns = 0

    async def go(self, patience: timedelta | None) -> None:
        """Walk as far as patience lasts; at the target the clock runs again."""
        began = self._runtime.clock.elapsed()
        async with self._runtime.database.read() as read:
            clock = await get_clock(read, self._tenant.business_id)
        target = clock.moving_to
        if target is None:
            return
        if clock.stands_at is not None:
            await finish_charges(self._runtime, self._tenant)
        else:
            await asyncio.sleep(SETTLING_SECONDS)
            if self._runtime.now(self._tenant) < target:
                await self._wait_for_charges()
                clock = await self._stand(clock, min(self._runtime.now(self._tenant), target))
        while clock.stands_at is not None:
            due = await self._next(clock, target)
            if patience is not None and self._runtime.clock.elapsed() - began >= patience:
                return
            if due is None:
                await self._stand(clock, target)
                clock = await self._change(run_on)
            else:
                clock = await self._do(clock, due, target)
        await asyncio.sleep(SETTLING_SECONDS)
        await self._change(end_move)

    async def _next(self, clock: BusinessClock, target: datetime) -> Due | None:
        async with self._runtime.database.read() as read:
            return await next_due(read, clock.business_id, target, SILENCE)

    async def _do(self, clock: BusinessClock, due: Due, target: datetime) -> BusinessClock:
        """Do what is due next, after the clock was moved to its moment; what was due before it stood is done now."""
        moment = max(due.at, clock.stands_at or due.at)
        if moment != clock.stands_at:
            clock = await self._stand(clock, moment)
            if self._tell is not None:
                self._tell(moment, target)
        self._turns = self._turns + 1 if due == self._last else 0
        self._last = due
        if self._turns >= _STUCK_AFTER:
            detail = f"The clock stands at {moment.isoformat()}: {due.kind} are due and do not get done. See the log."
            raise Problem("UNSUPPORTED_ACTION", detail=detail)
        await do_what_is_due(self._runtime, self._tenant, due._replace(at=moment))
        return clock

    async def _stand(self, clock: BusinessClock, moment: datetime) -> BusinessClock:
        real = self._runtime.real_now()
        async with self._runtime.database.statement() as tx:
            return self._keep(await stand_at(tx, clock, moment, real))

    async def _change(self, change: Callable[[Tx, str, datetime], Awaitable[BusinessClock | None]]) -> BusinessClock:
        async with self._runtime.database.statement() as tx:
            return self._keep(await change(tx, self._tenant.business_id, self._runtime.real_now()))

    def _keep(self, clock: BusinessClock | None) -> BusinessClock:
        """Remember a change. Raises Problem TEST_CLOCK_MOVING when another has moved the clock meanwhile."""
        if clock is None:
            raise Problem("TEST_CLOCK_MOVING")
        self._remembered.keep(clock, self._runtime.real_now())
        return clock

    async def _wait_for_charges(self) -> None:
        """Let charges end that a request has begun: time must not pass them by. It takes a minute at most."""
        began = self._runtime.clock.elapsed()
        while self._runtime.clock.elapsed() - began < SILENCE:
            now = self._runtime.now(self._tenant)
            async with self._runtime.database.read() as read:
                if not await unanswered_attempts(read, self._tenant.business_id, now - SILENCE):
                    return
            await asyncio.sleep(0.2)
