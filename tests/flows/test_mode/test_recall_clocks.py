"""The clocks are read by as few as possible, and nobody goes by a reading that began before the question."""

import asyncio
from datetime import timedelta

import pytest

from harness import FakeClock, Merchant
from nicobar.core.business.business_clock import BusinessClock
from nicobar.flows.business_time import recall_clocks as module
from nicobar.flows.business_time.recall_clocks import recall_clocks
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Read
from nicobar.storage.test_clocks import REMEMBERED_FOR, begin_move, read_clocks


class Readings:
    """How often the clocks were read, and when those that are under way may end."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()

    async def read(self, read: Read) -> list[BusinessClock]:
        self.begun += 1
        found = await read_clocks(read)
        await self.may_end.wait()
        return found


@pytest.mark.parametrize("moves", [False, True])
async def test_those_who_wait_share_the_next_reading(
    runtime: Runtime, clock: FakeClock, merchant: Merchant, monkeypatch: pytest.MonkeyPatch, moves: bool
) -> None:
    """Also while a clock is moved, when what is remembered counts for nothing: it may be another business's."""
    target, now = clock.now() + timedelta(days=1), clock.now()
    if moves:
        async with runtime.database.transaction() as tx:
            assert await begin_move(tx, merchant.tenant.business_id, target, now, now, now)
    readings = Readings()
    monkeypatch.setattr(module, "read_clocks", readings.read)
    clock._elapsed += timedelta(hours=1 + moves)  # what another test has read is old
    first = asyncio.create_task(recall_clocks(runtime))
    await asyncio.sleep(0.05)
    clock._elapsed += timedelta(milliseconds=1)
    others = [asyncio.create_task(recall_clocks(runtime)) for _ in range(20)]
    await asyncio.sleep(0)
    clock._elapsed += timedelta(milliseconds=1)
    readings.may_end.set()
    await asyncio.gather(first, *others)
    assert readings.begun == (2 if moves else 1), (
        "the reading that was under way may have missed what came before the question"
    )


async def test_one_reads_again_while_the_others_go_on(
    runtime: Runtime, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = Readings()
    clock._elapsed += timedelta(hours=3)  # what another test has read is old
    await recall_clocks(runtime)
    monkeypatch.setattr(module, "read_clocks", readings.read)
    clock._elapsed += REMEMBERED_FOR / 2 - timedelta(microseconds=1)
    await recall_clocks(runtime)
    assert readings.begun == 0
    clock._elapsed += timedelta(microseconds=1)
    first = asyncio.create_task(recall_clocks(runtime))
    while not readings.begun:
        await asyncio.sleep(0)
    for _ in range(20):
        await recall_clocks(runtime)
    clock._elapsed += REMEMBERED_FOR / 2
    late = asyncio.create_task(recall_clocks(runtime))
    await asyncio.sleep(0.05)
    assert (readings.begun, first.done(), late.done()) == (1, False, False)
    readings.may_end.set()
    await asyncio.gather(first, late)
    assert readings.begun == 2, "what was read half a second ago is too old"
