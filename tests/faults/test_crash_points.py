"""The server dies at each point of the crash table, is started again, and the payment ends as it must."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cli import program
from cli.program import PATIENCE, Serving
from faults.aftermath import audit, opened
from faults.shopping import Journal, Shop
from harness import Databases, make_keys
from nicobar.core.business.tenant import Tenant
from nicobar.flows.business.create_business import create_business

_numbers = count(1)
CRASHING = [sys.executable, str(Path(__file__).with_name("crashing_program.py"))]


@pytest_asyncio.fixture
async def dsn(databases: Databases) -> AsyncIterator[str]:
    yield await databases.create(f"nicobar_crash_{next(_numbers)}")


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Serving]]:
    """Starts servers, one that dies at a point or a healthy one, and stops them at the end of the test."""
    started: list[Serving] = []

    def starting(dsn: str, point: str | None = None) -> Serving:
        with monkeypatch.context() as patch:
            if point is not None:
                patch.setattr(program, "PROGRAM", [*CRASHING, point])
            started.append(Serving("--database-url", dsn))
        return started[-1].ready()

    yield starting
    for serving in started:
        serving.close()


PAYING = {
    # point: (status of the payment in the end, of which the bank knows)
    "before the intent": "requires_payment_method",
    "within the intent": "requires_payment_method",
    "after the intent": "failed",
    "during the call": "succeeded",
    "after the call": "succeeded",
    "before the outcome": "succeeded",
    "within the outcome": "succeeded",
    "after the outcome": "succeeded",
    "before the unlocked intent": "requires_payment_method",
    "after the unlocked intent": "failed",
    "before the unlocked outcome": "succeeded",
    "after the unlocked outcome": "succeeded",
}

REFUNDING = {
    # point: how many refunds there are in the end
    "before the refund's intent": 0,
    "within the refund's intent": 0,
    "after the refund's intent": 1,
    "during the refund's call": 1,
    "before the refund's outcome": 1,
    "within the refund's outcome": 1,
}

NOTICES = [
    "before a notice is stored",
    "within the storing of a notice",
    "after a notice is stored",
    "after a notice is taken",
    "before a notice is handled",
    "after a notice is handled",
    "after a notice is marked",
]


async def _seller(dsn: str) -> tuple[Tenant, str]:
    async with opened(dsn) as runtime:
        business_id = await create_business(runtime, "Dodo Records")
        key, _, _ = await make_keys(runtime, business_id)
    return Tenant(business_id, "test"), key


async def _dies(serving: Serving) -> None:
    assert await asyncio.to_thread(serving.process.wait, PATIENCE) == -9


async def _create(shop: Shop, **metadata: str) -> dict[str, Any]:
    created = await shop.create(await shop.product(), metadata=metadata)
    assert created is not None
    return created


async def _audit(dsn: str, tenant: Tenant, journal: Journal) -> dict[str, int]:
    async with opened(dsn) as runtime:
        return await audit(runtime, tenant, journal)


@pytest.mark.parametrize("point", PAYING)
async def test_a_payment_survives(start: Callable[..., Serving], dsn: str, point: str) -> None:
    journal, (tenant, key) = Journal(), await _seller(dsn)
    dying = await asyncio.to_thread(start, dsn, point)
    async with Shop(dying.base_url, key, journal) as shop:
        created = await _create(shop)
        assert await shop.pay(created["payment_link"]) is None
    await _dies(dying)
    healthy = await asyncio.to_thread(start, dsn)
    assert await _audit(dsn, tenant, journal) == {PAYING[point]: 1, "refunds": 0}
    if PAYING[point] == "succeeded":
        return
    async with Shop(healthy.base_url, key, journal) as shop:  # nothing was taken, so the customer can pay now
        paid = await shop.pay(created["payment_link"])
        assert paid is not None
        assert paid.status_code == 303
        assert await shop.status(created["payment_id"]) == "succeeded"
    assert await _audit(dsn, tenant, journal) == {"succeeded": 1, "refunds": 0}


@pytest.mark.parametrize("point", REFUNDING)
async def test_a_refund_survives(start: Callable[..., Serving], dsn: str, point: str) -> None:
    journal, (tenant, key) = Journal(), await _seller(dsn)
    dying = await asyncio.to_thread(start, dsn, point)
    async with Shop(dying.base_url, key, journal) as shop:
        created = await _create(shop)
        await shop.pay(created["payment_link"])
        assert await shop.refund(created["payment_id"]) is None
    await _dies(dying)
    await asyncio.to_thread(start, dsn)
    assert await _audit(dsn, tenant, journal) == {"succeeded": 1, "refunds": REFUNDING[point]}


@pytest.mark.parametrize("point", NOTICES)
async def test_a_notice_survives(start: Callable[..., Serving], dsn: str, point: str) -> None:
    """The answer of the bank is lost, and the server dies over the notice that would have told it."""
    journal, (tenant, key) = Journal(), await _seller(dsn)
    dying = await asyncio.to_thread(start, dsn, point)
    async with Shop(dying.base_url, key, journal) as shop:
        await shop.pay((await _create(shop, nicobar_scenario="drop_after; notice_twice"))["payment_link"])
    await _dies(dying)
    await asyncio.to_thread(start, dsn)
    assert await _audit(dsn, tenant, journal) == {"succeeded": 1, "refunds": 0}
