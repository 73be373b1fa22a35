"""The worker delivers webhooks at once in its own process and within a second in another; none waits for a slow one."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

import pytest
import pytest_asyncio

from harness import VAULT_KEYS, Merchant
from nicobar.clock import SystemClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from nicobar.processors.webhooks.webhooks import Webhooks
from nicobar.storage.database import Database
from nicobar.vault import Vault
from nicobar.worker.worker import work
from orders import paid, with_processors
from receiver import Got, answer, endpoint_at, receiving

STRICT = os.environ.get("NICOBAR_LATENCY") == "1"
"""On a computer with nothing else to do, the times of the contract decide; else only that nobody waits for another."""


@pytest_asyncio.fixture
async def runtime(runtime: Runtime) -> AsyncIterator[Runtime]:
    clock = SystemClock()
    webhooks = Webhooks(Vault(VAULT_KEYS, None), clock, allow_private=True)
    yield with_processors(runtime._replace(clock=clock, webhooks=webhooks))
    webhooks.close()


@pytest.fixture
def tenant(merchant: Merchant) -> Tenant:
    return merchant.tenant


@asynccontextmanager
async def working(runtime: Runtime) -> AsyncIterator[None]:
    task = asyncio.create_task(work(runtime, Counter()))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def unfinished(runtime: Runtime) -> int:
    async with runtime.database.read() as read:
        return int(await read.fetchval("SELECT count(*) FROM webhook_deliveries WHERE state <> 'delivered'"))


async def test_it_is_sent_right_after_the_commit(
    runtime: Runtime, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nicobar.worker.worker.LOOK_SECONDS", 600.0)  # so that it has to be the nudge
    async with receiving() as receiver, working(runtime):
        await endpoint_at(runtime, tenant, receiver.url)
        await asyncio.sleep(0.05)  # the worker has begun to wait
        waits = []
        for number in range(1, 6):
            await paid(runtime, tenant)
            committed = asyncio.get_running_loop().time()
            waits.append((await receiver.until(number))[-1].at - committed)
    if STRICT:
        assert sorted(waits)[2] < 0.1


async def test_another_process_finds_it_when_it_looks(runtime: Runtime, tenant: Tenant) -> None:
    other = Database(runtime.database.dsn, size=4)
    try:
        async with receiving() as receiver, working(runtime._replace(database=other)):
            await endpoint_at(runtime, tenant, receiver.url)
            await paid(runtime, tenant)
            committed = asyncio.get_running_loop().time()
            (got,) = await receiver.until(1)
            if STRICT:
                assert got.at - committed < 1.2
    finally:
        await other.close()


async def test_slow_and_dead_receivers_keep_no_other_waiting(runtime: Runtime, tenant: Tenant) -> None:
    """One takes ten seconds to answer and one never does: the third gets all of its events meanwhile."""
    events, committed = 60, {}
    release = asyncio.Event()

    async def after_ten_seconds(_got: Got) -> bytes:
        await asyncio.wait([asyncio.ensure_future(release.wait())], timeout=10 if STRICT else None)
        return answer()

    async def never(_got: Got) -> None:
        await release.wait()

    async with receiving(by=after_ten_seconds) as slow, receiving(by=never) as dead, receiving() as third:
        for receiver in (slow, dead, third):
            await endpoint_at(runtime, tenant, receiver.url)
        async with working(runtime):
            for _ in range(events):
                began = perf_counter()
                committed[(await paid(runtime, tenant)).payment_id] = asyncio.get_running_loop().time()
                await asyncio.sleep(max(0.0, 0.02 - (perf_counter() - began)))
            await third.until(events, 9)  # before the slow one has answered once
            waits = sorted(
                got.at - moment
                for got in third.got
                for payment_id, moment in committed.items()
                if payment_id.encode() in got.body
            )
            assert len(waits) == events
            assert len(slow.got) <= 20 and len(dead.got) <= 20  # each within its own places
            if STRICT:
                assert waits[-1] < 0.25
            release.set()
    assert Counter(got.message_id for got in third.got).most_common(1)[0][1] == 1


async def test_two_workers_send_nothing_twice(runtime: Runtime, tenant: Tenant) -> None:
    other = Database(runtime.database.dsn, size=6)
    try:
        async with receiving() as receiver:
            for _ in range(2):
                await endpoint_at(runtime, tenant, receiver.url)
            for _ in range(40):
                await paid(runtime, tenant)
            async with working(runtime), working(runtime._replace(database=other)):
                await receiver.until(80)
                async with asyncio.timeout(30):
                    while await unfinished(runtime):
                        await asyncio.sleep(0.02)
    finally:
        await other.close()
    assert len(receiver.got) == 80
    assert len({got.message_id for got in receiver.got}) == 80


async def test_a_queue_longer_than_the_places_is_worked_off_without_waiting_for_a_look(
    runtime: Runtime, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nicobar.worker.worker.LOOK_SECONDS", 600.0)
    async with receiving() as receiver:
        await endpoint_at(runtime, tenant, receiver.url)
        for _ in range(70):
            await paid(runtime, tenant)
        async with working(runtime):
            await receiver.until(70)
    assert len({got.message_id for got in receiver.got}) == 70
