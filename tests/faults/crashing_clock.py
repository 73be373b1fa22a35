"""Moves the clock of a test mode, and dies on the way: `crashing_clock.py DATABASE BUSINESS SEED DAYS STEPS`.

It kills itself with SIGKILL when it asks for a connection for the STEPS-th time, so before or after any statement, any
commit and any call of the simulator. With 0 steps it lives.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from harness import PUBLIC_URL, VAULT, FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.test_mode.clock_goal import ClockGoal
from nicobar.flows.runtime import Runtime
from nicobar.flows.test_mode import advance_clock as module
from nicobar.flows.test_mode.advance_clock import advance_clock
from nicobar.processors.accounts.registry import built_in_processors
from nicobar.processors.webhooks.webhooks import Webhooks
from nicobar.program.installation import FOLLOWERS
from nicobar.storage.database import Database
from nicobar.storage.simulator.simulator import SimulatorRecords


class MortalDatabase(Database):
    """A database whose process dies when it is asked for the n-th connection."""

    def __init__(self, dsn: str, steps: int) -> None:
        super().__init__(dsn, size=4)
        self._steps = steps

    @asynccontextmanager
    async def _lend(self) -> AsyncIterator[Any]:
        self._steps -= 1
        if self._steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        async with super()._lend() as connection:
            yield connection


async def main(dsn: str, business_id: str, seed: str, days: int, steps: int) -> None:
    """Move the clock."""
    module.SETTLING_SECONDS = 0  # type: ignore[misc]
    database, clock = MortalDatabase(dsn, steps), FakeClock(seed)
    processors = built_in_processors(clock, PUBLIC_URL, SimulatorRecords(database))
    webhooks = Webhooks(VAULT, clock, allow_private=True)
    runtime = Runtime(database, clock, PUBLIC_URL, processors, webhooks=webhooks, followers=FOLLOWERS, vault=VAULT)
    await advance_clock(runtime, Tenant(business_id, "test"), ClockGoal(by=timedelta(days=days)))
    webhooks.close()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
