"""What tests of the worker share: notices to work on, and a worker that runs for a while."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from nicobar.storage.notices.notices import insert_notice
from nicobar.worker.worker import work

PATIENCE = 30.0
"""Seconds after which something that should have happened counts as not happening."""

TENANT = Tenant("bus_0", "test")

Handle = Callable[[Runtime, Tenant, str, str], Awaitable[bool]]


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something has happened."""
    async with asyncio.timeout(PATIENCE):
        while not await happened():
            await asyncio.sleep(0.02)


async def notices(runtime: Runtime, what: str) -> list[tuple[object, ...]]:
    """Return columns of all notices, in the order of their ids."""
    async with runtime.database.read() as read:
        return [tuple(row) for row in await read.fetch(f"SELECT {what} FROM notices ORDER BY notice_id")]


async def is_empty(runtime: Runtime) -> bool:
    """Return whether every notice is handled."""
    return all(handled for (handled,) in await notices(runtime, "handled_at IS NOT NULL AND due_at IS NULL"))


async def add(runtime: Runtime, *names: str) -> None:
    """Store notices without a word to the worker."""
    async with runtime.database.transaction() as tx:
        for name in names:
            assert await insert_notice(tx, TENANT, "stripe", name, "dispute", "du_0", runtime.clock.now(), "")


class Working:
    """A worker that runs while the block does."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._is_told = False

    async def __aenter__(self) -> "Working":
        self.task = asyncio.create_task(work(self._runtime, Counter()))
        return self

    def end(self) -> None:
        """Tell the worker to end, once: told twice, it breaks off its work."""
        if not self._is_told:  # `cancelling()` counts a time-out of its own that has just run out, too
            self._is_told = True
            self.task.cancel()

    async def __aexit__(self, *_error: object) -> None:
        self.end()
        await asyncio.wait({self.task}, timeout=PATIENCE)
        assert self.task.cancelled()
