"""What a worker is working on is counted, so that a server that stops can say what it waits for."""

import asyncio
from collections import Counter

import pytest

from harness import Merchant
from nicobar.flows.runtime import Runtime
from nicobar.storage.notices.notices import insert_notice
from nicobar.worker import worker
from nicobar.worker.kinds import KINDS
from nicobar.worker.worker import work


async def test_what_is_worked_on_is_counted(
    runtime: Runtime, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, running = asyncio.Event(), Counter[str]()

    async def slow(_runtime: Runtime, *_key: object) -> bool:
        await go_on.wait()
        return True

    notices = next(kind for kind in KINDS if kind.name == "handle_notice")
    monkeypatch.setattr(worker, "KINDS", [notices._replace(handle=slow)])
    async with runtime.database.transaction() as tx:
        for name in ("a", "b"):
            assert await insert_notice(tx, merchant.tenant, "stripe", name, "dispute", "du_0", runtime.clock.now(), "")
    task = asyncio.create_task(work(runtime, running))
    async with asyncio.timeout(30):
        while running["handle_notice"] < 2:
            await asyncio.sleep(0.01)
        assert running == {"handle_notice": 2}
        task.cancel()  # it drains, and counts on
        await asyncio.sleep(0.05)
        assert running == {"handle_notice": 2}
        go_on.set()
        await asyncio.wait([task])
    assert running.total() == 0
