"""Works on what is due and sweeps from time to time, until it is cancelled. It survives a lost database.

Work is rows (`storage/due_work.py`) that end only when their flow says so. A worker takes a few of them for as long as
a lease, works on each and notes when one that failed is due again. One whose worker died, or whose next try could not
be noted because PostgreSQL takes no writes, is due again when the lease has run out. Flows are idempotent.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Final

import structlog

from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.put_off_work import put_off_work
from nicobar.flows.upkeep.sweep import sweep
from nicobar.storage.database import DatabaseUnavailable, end_if_cancelled
from nicobar.storage.due_work import Claim, pause_after
from nicobar.worker.kinds import KINDS, Kind

_log = structlog.get_logger("nicobar.worker")

LOOK_SECONDS: Final = 1.0
"""How often every kind is looked at, and so how late work may start that another process has left."""

PACE_SECONDS: Final = 0.02
"""How far looks are apart at least: work that is left meanwhile is taken together. One that is idle looks at once."""

HANDLING_SECONDS: Final = 45.0
"""How long working on a row may take. It is less than the lease, so nobody else has taken the row meanwhile."""

SWEEP_SECONDS: Final = 5.0
"""How often the sweep runs, which is also how soon a lost database is noticed."""

DRAIN_SECONDS: Final = 5.0
"""How long running work may take to end when the worker stops; then it is cut off, and taken again later."""


async def work(runtime: Runtime, running: Counter[str]) -> None:
    """Work on what is due until cancelled, then let what runs end, within `DRAIN_SECONDS` or until cancelled again.

    It looks at once where this process has left work (`Database.announce_work`), and everywhere every `LOOK_SECONDS`
    for what others have left. `running` counts, by the names of the kinds, what it is working on.
    """
    places = [_Places(runtime, kind, running) for kind in KINDS]
    announced: set[str] = set()
    time, everywhere_at = asyncio.get_running_loop().time, 0.0
    try:
        while True:
            everywhere = time() >= everywhere_at
            looked = [place for place in places if everywhere or place.table in announced]
            for place in looked:
                await _guarded("look_failed", place.fill)
            if everywhere:
                everywhere_at = time() + LOOK_SECONDS
            if not any(place.filled for place in looked):  # where one was, more is waiting
                await asyncio.sleep(PACE_SECONDS)
            announced = set()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(everywhere_at):
                    announced = await runtime.database.work_announced.take()
    finally:
        await _drain(set().union(*(place.running for place in places)))


async def sweep_regularly(runtime: Runtime) -> None:
    """Sweep from time to time until cancelled; a round that fails is logged, and the next gets its chance."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        await _guarded("sweep_failed", lambda: sweep(runtime))


async def _handle(runtime: Runtime, kind: Kind, claim: Claim) -> None:
    """Work on a row that was taken, and put it off unless it is done."""
    done = False
    known = {"kind": kind.name, "key": claim.key, "tries": claim.tries}

    async def handle() -> None:
        nonlocal done
        async with asyncio.timeout(HANDLING_SECONDS):
            done = await kind.handle(runtime, claim.tenant, *claim.key)

    await _guarded("work_failed", handle, **known)
    if not done:
        await _guarded(
            "work_not_put_off", lambda: put_off_work(runtime, kind.rows, claim, pause_after(claim.tries)), **known
        )


class _Places:
    """The places for rows of one kind, and what runs in them."""

    def __init__(self, runtime: Runtime, kind: Kind, counts: Counter[str]) -> None:
        self._runtime, self._kind, self._counts = runtime, kind, counts
        self._by_group: Counter[str] = Counter()
        self._longer: set[str] = set()
        """Groups of which more may be waiting: the last look that had room for them took as much as there was room."""
        self.filled = False
        """Whether the last look took the last place of a group."""
        self.running: set[asyncio.Task[None]] = set()

    @property
    def table(self) -> str:
        """Where its rows are."""
        return self._kind.rows.table

    async def fill(self) -> None:
        """Take as many rows as there are free places, and begin to work on them."""
        in_use, taken = self._by_group.copy(), Counter[str]()
        self.filled = False
        for claim in await self._kind.claim(self._runtime, self._kind.rows, self._by_group):
            group = self._kind.group(claim)
            taken[group] += 1
            self._by_group[group] += 1
            self._counts[self._kind.name] += 1
            task = asyncio.create_task(_handle(self._runtime, self._kind, claim))
            self.running.add(task)
            task.add_done_callback(partial(self._ended, group))
        full = {group for group, number in (in_use + taken).items() if number >= self._kind.places}
        self.filled = not full.isdisjoint(taken)
        self._longer = set(full)
        for group in full:
            self._look_again(group)

    def _ended(self, group: str, task: asyncio.Task[None]) -> None:
        """Free a place."""
        self.running.discard(task)
        self._by_group[group] -= 1
        self._counts[self._kind.name] -= 1
        self._look_again(group)
        if not self._by_group[group]:
            del self._by_group[group]

    def _look_again(self, group: str) -> None:
        """Look for more of a group that had more, as soon as half of its places are free."""
        if group in self._longer and self._by_group[group] <= self._kind.places // 2:
            self._longer.discard(group)
            self._runtime.database.work_announced.tell(self.table)


async def _guarded(event: str, act: Callable[[], Coroutine[object, object, None]], **known: object) -> None:
    """Do something whose failure is logged and ends nothing: whatever it was, the next time gets its chance.

    A cancellation ends the task even when what was done has lost it.
    """
    try:
        await act()
    except DatabaseUnavailable as error:
        _log.warning(event, why=str(error), **known)
    except Exception:  # noqa: BLE001 - nothing is lost because of a bug: it is tried again, and the log says why
        _log.exception(event, **known)
    end_if_cancelled()


async def _drain(running: set[asyncio.Task[None]]) -> None:
    """Let running work end; what does not in time is cut off, and is due again when its lease has run out."""
    try:
        if running:
            await asyncio.wait(running, timeout=DRAIN_SECONDS)
    finally:
        for task in running:
            task.cancel()
