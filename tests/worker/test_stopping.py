"""A worker that is told to end does, even when the word gets lost in what it is just doing."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine

import pytest

from nicobar.flows.runtime import Runtime
from nicobar.storage.due_work import Claim
from nicobar.worker import worker as module
from nicobar.worker.kinds import KINDS
from nicobar.worker.worker import work

PATIENCE = 30.0
"""Seconds after which something that should have happened counts as not happening."""


async def _told_to_end(working: Coroutine[object, object, None], begun: asyncio.Event) -> None:
    """Tell a task to end, once, as soon as something has begun in it, and see that it does."""
    task = asyncio.create_task(working)
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
    task.cancel()
    await asyncio.wait({task}, timeout=PATIENCE)
    assert task.cancelled()


async def _look_in_a_transaction(runtime: Runtime, looking: asyncio.Event) -> None:
    """Wait in a transaction whose connection breaks in the moment in which it is cancelled."""
    async with runtime.database.transaction() as tx:
        looking.set()
        try:
            await tx.execute("SELECT pg_sleep(60)")
        finally:
            tx.terminate()


async def _look_within_a_time(_runtime: Runtime, looking: asyncio.Event) -> None:
    """Wait for something that ends in the moment in which it is cancelled."""

    async def soon() -> None:
        looking.set()

    await asyncio.wait_for(soon(), PATIENCE)


@pytest.mark.parametrize("look", [_look_in_a_transaction, _look_within_a_time])
async def test_a_cancellation_that_gets_lost_ends_the_worker_all_the_same(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, look: Callable[[Runtime, asyncio.Event], Awaitable[None]]
) -> None:
    """Whoever looks for work gets an error, or nothing at all, in place of the cancellation."""
    looking, looks = asyncio.Event(), 0

    async def claim(runtime: Runtime, *_arguments: object) -> list[Claim]:
        nonlocal looks
        looks += 1
        await look(runtime, looking)
        return []

    monkeypatch.setattr(module, "LOOK_SECONDS", 10 * PATIENCE)
    monkeypatch.setattr(module, "KINDS", [KINDS[0]._replace(claim=claim)])
    await _told_to_end(work(runtime, Counter()), looking)
    assert looks == 1


async def test_a_sweep_that_loses_a_cancellation_is_the_last(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    sweeping, sweeps = asyncio.Event(), 0

    async def sweep(runtime: Runtime) -> None:
        nonlocal sweeps
        sweeps += 1
        await _look_in_a_transaction(runtime, sweeping)

    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(module, "sweep", sweep)
    await _told_to_end(module.sweep_regularly(runtime), sweeping)
    assert sweeps == 1
