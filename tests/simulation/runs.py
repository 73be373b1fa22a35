"""Runs of the simulation: each on an emptied database, with clocks that stand still until the town moves them."""

import asyncio
import types
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from due_work import run_due
from harness import EmptyingDatabase
from nicobar.flows.notices.deliver_simulated_notices import deliver_simulated_notices
from nicobar.flows.upkeep.sweep import sweep
from nicobar.processors.simulator import simulator
from simulation.auditor import Auditor
from simulation.town import Town
from simulation.workload import come_to_rest, simulate

WAITING_FOR_A_NOTICE = 0.05
"""The pause of a simulator that waits for a notice to come first."""


class Runs:
    """Runs the simulation on one database, as often as it is asked to."""

    def __init__(
        self, database: EmptyingDatabase, monkeypatch: pytest.MonkeyPatch, record: Callable[[str, object], None]
    ) -> None:
        self._database, self._monkeypatch, self._record = database, monkeypatch, record
        self.happened: Counter[str] = Counter()

    async def run(self, seed: int, operations: int) -> dict[str, str]:
        """Make one run, and return the digest of what it leaves behind."""
        async with self.town(seed) as (town, auditor):
            await simulate(town, auditor, operations)
            await come_to_rest(town, auditor)
            self._record(f"operations of seed {seed}", operations)
            return await auditor.digest()

    @asynccontextmanager
    async def town(self, seed: int) -> AsyncIterator[tuple[Town, Auditor]]:
        """Open a town, with an auditor who watches it. Every failure within it names its seed."""
        print(f"NICOBAR_SIMULATION_SEED={seed}")  # noqa: T201 - shown with a failure
        await self._database.empty()
        town = Town(self._database.database.dsn, seed)
        self._stop_the_clocks(town)
        auditor = await Auditor.begin(town.dsn)
        try:
            await town.open()
            yield town, auditor
        except BaseException as error:
            error.add_note(f"Run it again with NICOBAR_SIMULATION_SEED={seed}")
            raise
        finally:
            self.happened += town.journal.happened
            for process in town.processes:
                self.happened += process.database.faults
            self.happened += Counter(await auditor.census())
            await auditor.end()
            await town.close()

    def _stop_the_clocks(self, town: Town) -> None:
        """Have time pass at once for whoever waits."""

        async def sleep(seconds: float) -> None:
            await asyncio.sleep(0)
            if seconds == WAITING_FOR_A_NOTICE:
                await _bring_notices(town)
            elif seconds >= 1:
                await _let_pass(town, seconds)

        self._monkeypatch.setattr(simulator, "asyncio", types.SimpleNamespace(sleep=sleep, timeout=asyncio.timeout))


async def _bring_notices(town: Town) -> None:
    """Give who waits for a notice those that are due. Raises TimeoutError, with which the waiting ends, for none."""
    alive = [process for process in town.processes if not process.database.dead]
    if not alive or not await deliver_simulated_notices(alive[0].runtime):
        raise TimeoutError
    await run_due(alive[0].runtime)


async def _let_pass(town: Town, seconds: float) -> None:
    """Let the time pass for which the simulator holds an answer back, and the worker go on meanwhile.

    After a minute the sweep gives an attempt up; should its order arrive after that, it comes too late.
    """
    town.clock.advance(seconds=seconds)
    alive = [process for process in town.processes if not process.database.dead]
    if alive:
        await sweep(alive[0].runtime)
