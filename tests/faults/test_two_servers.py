"""Two servers over one PostgreSQL behave as one: what must happen once happens once, whichever of them is asked."""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from cli.program import PATIENCE, Serving, run
from harness import Merchant
from nicobar.flows.runtime import Runtime

KEY = base64.b64encode(bytes(range(32))).decode()
LIMIT = 200
"""Requests of a key in a minute, in each class."""


@pytest.fixture
def where(runtime: Runtime) -> dict[str, str]:
    return {
        "NICOBAR_DATABASE_URL": runtime.database.dsn,
        "NICOBAR_ENCRYPTION_KEY": KEY,
        "NICOBAR_RATE_LIMIT": f"{LIMIT}/{LIMIT}",
    }


@pytest.fixture
def servers(where: dict[str, str], merchant: Merchant) -> Iterator[list[Serving]]:
    """Two servers of the merchant's business."""
    started = [Serving(**where) for _ in range(2)]
    try:
        yield [serving.ready() for serving in started]
    finally:
        for serving in started:
            serving.close()


@pytest_asyncio.fixture
async def clients(servers: list[Serving], merchant: Merchant) -> AsyncIterator[list[httpx.AsyncClient]]:
    """A client of each."""
    headers = {"authorization": f"Bearer {merchant.key}"}
    opened = [httpx.AsyncClient(base_url=each.base_url, headers=headers, timeout=PATIENCE) for each in servers]
    yield opened
    for client in opened:
        await client.aclose()


async def order_of(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    price = {"type": "one_time_price", "currency": "USD", "price": 2000}
    product = {"name": "Guide", "tax_category": "e_book", "price": price}
    made = (await client.post("/products", json=product)).json()
    return {
        "billing": {"country": "US"},
        "customer": {"email": "ana@example.com", "name": "Ana"},
        "product_cart": [{"product_id": made["product_id"], "quantity": 1}],
        "payment_link": True,
    } | changes


async def counted(runtime: Runtime, table: str) -> int:
    async with runtime.database.read() as read:
        return int(await read.fetchval(f"SELECT count(*) FROM {table}"))


async def test_an_idempotency_key_at_both_at_once_makes_one_payment(
    clients: list[httpx.AsyncClient], runtime: Runtime
) -> None:
    order = await order_of(clients[0])
    for number in range(10):
        headers = {"idempotency-key": f"order-{number}"}
        answers = await asyncio.gather(
            *(client.post("/payments", json=order, headers=headers) for client in clients * 2)
        )
        # Who comes while the first is under way is told so, and gets the same answer later.
        assert {answer.status_code for answer in answers} <= {200, 409}
        late = [await client.post("/payments", json=order, headers=headers) for client in clients]
        assert [answer.status_code for answer in late] == [200, 200]
        told = [answer.content for answer in (*answers, *late) if answer.status_code == 200]
        assert len(set(told)) == 1
        assert await counted(runtime, "payments") == number + 1
    assert await counted(runtime, "customers") == 1


async def test_a_code_with_one_use_is_used_once(clients: list[httpx.AsyncClient], runtime: Runtime) -> None:
    for number in range(5):
        code = {"type": "percentage", "amount": 1000, "code": f"ONCE{number}", "usage_limit": 1}
        assert (await clients[0].post("/discounts", json=code)).status_code == 200
        order = await order_of(clients[0], discount_code=f"ONCE{number}")
        buyers = [{"email": f"buyer{each}@example.com", "name": "Buyer"} for each in range(4)]
        answers = await asyncio.gather(
            *(
                client.post("/payments", json=order | {"customer": buyer})
                for client, buyer in zip(clients * 2, buyers, strict=True)
            )
        )
        assert Counter(answer.status_code for answer in answers) == {200: 1, 422: 3}
        assert [each.json()["total_amount"] for each in answers if each.status_code == 200] == [1800]
        assert await counted(runtime, "payments") == number + 1


async def test_the_limit_of_a_key_holds_over_both(clients: list[httpx.AsyncClient]) -> None:
    """Minutes are told apart by what answers say of them, should one end meanwhile."""
    served: Counter[str] = Counter()
    refused = 0

    async def ask(client: httpx.AsyncClient) -> None:
        nonlocal refused
        for _ in range(2 * LIMIT):
            answer = await client.get("/products")
            if answer.status_code == 429:
                refused += 1
                return
            served[answer.headers["x-ratelimit-reset"]] += 1

    await asyncio.gather(*(ask(client) for client in clients))
    assert refused == 2
    assert max(served.values()) <= LIMIT + 2 * LIMIT // 20
    if len(served) == 1:
        assert sum(served.values()) >= LIMIT - 2 * LIMIT // 10


async def test_a_changed_setting_and_a_revoked_key_are_noticed_by_both(
    clients: list[httpx.AsyncClient], where: dict[str, str], merchant: Merchant
) -> None:
    order = await order_of(clients[0])
    for client in clients:  # both have the settings and the key in memory
        assert (await client.post("/payments", json=order)).json()["expires_on"] is not None
    changed = await asyncio.to_thread(run, "settings", "set", "blocked_countries", "US", **where)
    assert changed.returncode == 0, changed.stderr
    for client in clients:
        await _until(client, order, 422)
    keys = (await asyncio.to_thread(run, "keys", "list", **where)).stdout
    (key_id,) = [line.split()[0] for line in keys.splitlines() if merchant.key[-4:] in line]
    revoked = await asyncio.to_thread(run, "keys", "revoke", key_id, "--yes", **where)
    assert revoked.returncode == 0, revoked.stderr
    for client in clients:
        await _until(client, order, 401)


async def _until(client: httpx.AsyncClient, order: dict[str, Any], status: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await client.post("/payments", json=order)).status_code != status:
            await asyncio.sleep(0.2)
