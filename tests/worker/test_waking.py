"""Who leaves work wakes the worker of the same process, for the tables that the work is in."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from nicobar.storage.due_work import DELIVERIES, NOTICES, Claim, DueRows
from nicobar.worker import worker as module
from nicobar.worker.kinds import Kind
from worker.working import PATIENCE, TENANT, Handle, Working, add, is_empty, notices, until


async def test_a_commit_wakes_the_worker_of_its_process(
    runtime: Runtime, handled_by: Callable[[Handle], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker would look only after the patience of this test has ended."""

    async def done(*_arguments: object) -> bool:
        return True

    monkeypatch.setattr(module, "LOOK_SECONDS", 10 * PATIENCE)
    handled_by(done)
    async with Working(runtime):
        await asyncio.sleep(0.1)
        await add(runtime, "silent")
        await asyncio.sleep(0.1)
        assert await notices(runtime, "tries") == [(0,)]
        with pytest.raises(LookupError):
            async with runtime.database.transaction() as tx:
                runtime.database.announce_work(tx, NOTICES.table)
                raise LookupError  # what did not commit wakes nobody
        await asyncio.sleep(0.1)
        assert await notices(runtime, "tries") == [(0,)]
        async with runtime.database.transaction() as tx:
            runtime.database.announce_work(tx, DELIVERIES.table)  # what is due elsewhere is not looked for
        await asyncio.sleep(0.1)
        assert await notices(runtime, "tries") == [(0,)]
        async with runtime.database.transaction() as tx:
            runtime.database.announce_work(tx, DELIVERIES.table)
            runtime.database.announce_work(tx, NOTICES.table)
        await until(lambda: is_empty(runtime))


async def test_work_that_is_announced_all_the_time_keeps_no_other_kind_from_being_looked_at(
    runtime: Runtime, handled_by: Callable[[Handle], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def done(*_arguments: object) -> bool:
        return True

    async def announce() -> None:
        while True:
            runtime.database.work_announced.tell(DELIVERIES.table)
            await asyncio.sleep(0.001)

    monkeypatch.setattr(module, "LOOK_SECONDS", 0.3)
    monkeypatch.setattr(module, "PACE_SECONDS", 0.001)
    handled_by(done)
    announcing = asyncio.create_task(announce())
    try:
        async with Working(runtime):
            await asyncio.sleep(0.1)
            await add(runtime, "silent")
            await until(lambda: is_empty(runtime))
    finally:
        announcing.cancel()


async def test_a_queue_is_worked_off_without_a_pause_even_when_places_come_free_during_a_look(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of four end at once, the others while the next are being taken: then there are two again, and two wait."""
    left = [str(number) for number in range(20)]
    done: list[str] = []

    async def claim(_runtime: Runtime, _rows: DueRows, running: Mapping[str, int]) -> list[Claim]:
        free = 4 - sum(running.values())
        await asyncio.sleep(0.02)
        return [Claim(TENANT, (left.pop(),), 1) for _ in range(min(free, len(left)))]

    async def handle(_runtime: Runtime, _tenant: Tenant, name: str) -> bool:
        await asyncio.sleep(0.001 if int(name) % 2 else 0.01)
        done.append(name)
        return True

    async def is_done() -> bool:
        return len(done) == 20

    monkeypatch.setattr(module, "LOOK_SECONDS", 10 * PATIENCE)
    monkeypatch.setattr(module, "PACE_SECONDS", 0.0)
    monkeypatch.setattr(module, "KINDS", [Kind("handle_notice", NOTICES, handle, claim, places=4)])
    async with Working(runtime):
        await until(is_done)
    assert sorted(done, key=int) == [str(number) for number in range(20)]
