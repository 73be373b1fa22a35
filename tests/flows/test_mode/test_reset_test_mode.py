"""Emptying test mode while payments are being recorded and created."""

import asyncio
from collections.abc import Iterator
from itertools import count, takewhile
from typing import Any

import httpx
import pytest

from flows.payments.paying import pay, placed
from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Succeeded
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.runtime import Runtime
from nicobar.flows.test_mode import advance_clock
from nicobar.flows.test_mode import reset_test_mode as module
from nicobar.flows.test_mode.reset_test_mode import reset_test_mode
from nicobar.storage.database import ReferenceGone, Tx
from nicobar.storage.payments import first_attempts
from nicobar.storage.test_mode.emptying import empty_tables
from orders import dump, some_wait_for_rows
from shop import item, order_request

LONELY = """
SELECT count(*) FROM payments p
WHERE NOT EXISTS (SELECT FROM payment_lines l WHERE l.payment_id = p.payment_id)
    OR NOT EXISTS (SELECT FROM customers c WHERE c.customer_id = p.customer_id)
"""

TABLES = ("payments", "payment_lines", "attempts", "ledger_entries", "events", "customers")


@pytest.mark.parametrize("way", ["locked", "unlocked"])
async def test_it_waits_for_what_is_just_recorded_and_takes_it_along(
    runtime: Runtime, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(advance_clock, "SETTLING_SECONDS", 0)
    known = await placed(runtime, tenant)
    recording = asyncio.Event()

    async def record_slowly(*args: Any) -> bool:
        recorded = await record_payment_outcome(*args)
        recording.set()
        await asyncio.sleep(0.3)
        return recorded

    async def end_slowly(*args: Any) -> Any:
        asyncio.get_running_loop().call_later(0.1, recording.set)
        return await first_attempts.end_first_attempts(*args)

    if way == "locked":
        known = known._replace(version=1)  # so it has changed since it was read
    slow_end = first_attempts._END.replace("FROM told", "FROM told CROSS JOIN pg_sleep(0.3)")
    monkeypatch.setattr(first_attempts, "_END", slow_end)
    monkeypatch.setattr("nicobar.flows.payments.end_first_attempt.end_first_attempts", end_slowly)
    monkeypatch.setattr("nicobar.flows.payments.confirm_payment.record_payment_outcome", record_slowly)
    paying = asyncio.create_task(pay(runtime, known))
    await recording.wait()
    emptied = await reset_test_mode(runtime, tenant)
    assert isinstance((await paying).outcome, Succeeded)
    assert emptied > len(TABLES)
    async with runtime.database.read() as read:
        for table in TABLES:
            assert await read.fetchval(f"SELECT count(*) FROM {table}") == 0, table


def _until(over: asyncio.Event) -> Iterator[int]:
    """Count until it is over."""
    return takewhile(lambda _: not over.is_set(), count())


async def test_it_empties_what_is_just_being_filled(
    runtime: Runtime, merchant: Merchant, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything goes, or stays whole: nobody has a payment without its lines, and nobody is told of a fault."""
    monkeypatch.setattr(advance_clock, "SETTLING_SECONDS", 0)
    client, answers = merchant.client, list[httpx.Response]()
    price = {"type": "one_time_price", "currency": "USD", "price": 2000}

    async def create(ways: Iterator[dict[str, Any]], product_id: str) -> None:
        for customer in ways:
            clock.advance(seconds=0.001)
            answers.append(await client.post("/payments", json=order_request(item(product_id), customer=customer)))

    for turn in range(5):
        made = await client.post("/products", json={"name": "Guide", "tax_category": "e_book", "price": price})
        known = await client.post("/customers", json={"email": "ana@example.com", "name": "Ana"})
        product_id, customer_id, over = made.json()["product_id"], known.json()["customer_id"], asyncio.Event()
        ways = [
            ({"email": f"new{turn}-{number}@example.com"} for number in _until(over)),
            ({"email": "ben@example.com"} for _ in _until(over)),
            ({"customer_id": customer_id} for _ in _until(over)),
        ]
        buying = [asyncio.create_task(create(way, product_id)) for way in (*ways, *ways)]
        answers.clear()
        try:
            while len(answers) < 30:
                await asyncio.sleep(0.01)
            assert {answer.status_code for answer in answers} == {200}
            assert await reset_test_mode(runtime, merchant.tenant) > 0
        finally:
            over.set()
            await asyncio.gather(*buying)
        assert {answer.status_code for answer in answers} <= {200, 404, 503}
        async with runtime.database.read() as read:
            assert await read.fetchval("SELECT count(*) FROM products") == 0
            assert await read.fetchval(LONELY) == 0
    await reset_test_mode(runtime, merchant.tenant)
    async with runtime.database.read() as read:
        for table in TABLES:
            assert await read.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_nobody_fills_it_for_ever(runtime: Runtime, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is undone because of others is tried ten times, and leaves nothing of the tries before."""
    monkeypatch.setattr(advance_clock, "SETTLING_SECONDS", 0)
    tries, failing = 0, 9

    async def overtaken(tx: Tx, business_id: str) -> int:
        nonlocal tries
        tries += 1
        emptied = await empty_tables(tx, business_id)
        if tries <= failing:
            raise ReferenceGone("customers")
        return emptied

    monkeypatch.setattr(module, "empty_tables", overtaken)
    await placed(runtime, tenant)
    assert await reset_test_mode(runtime, tenant) > 0
    assert tries == 11, "the tenth try, and once more for what was under way"
    await placed(runtime, tenant)
    before, tries, failing = await dump(runtime), 0, 10
    with pytest.raises(ReferenceGone):
        await reset_test_mode(runtime, tenant)
    assert tries == 10
    assert await dump(runtime) == before


async def test_a_request_for_a_customer_who_is_just_deleted_is_to_be_made_again(
    runtime: Runtime, merchant: Merchant
) -> None:
    price = {"type": "one_time_price", "currency": "USD", "price": 2000}
    made = await merchant.client.post("/products", json={"name": "Guide", "tax_category": "e_book", "price": price})
    known = await merchant.client.post("/customers", json={"email": "ana@example.com", "name": "Ana"})
    customer = {"customer_id": known.json()["customer_id"]}
    request = order_request(item(made.json()["product_id"]), customer=customer)
    async with runtime.database.transaction() as tx:
        await tx.execute("DELETE FROM customers")
        waiting = asyncio.create_task(merchant.client.post("/payments", json=request))
        await some_wait_for_rows(runtime)
    first, again = await waiting, await merchant.client.post("/payments", json=request)
    assert [(each.status_code, each.json()["code"]) for each in (first, again)] == [
        (503, "SERVICE_UNAVAILABLE"),
        (404, "NOT_FOUND"),
    ]
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM payments") == 0
