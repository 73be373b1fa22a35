"""A POST that an SDK sends again without a key is recognised by its bytes, for five minutes."""

import asyncio
from typing import Any

import httpx
import pytest

from harness import Merchant, client_for
from nicobar.app import create_app
from nicobar.flows.business.create_key import create_key
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.processors.simulator.simulator import Simulator
from shop import Shop, item, order_request

REPLAYED = "idempotent-replayed"


async def attempt(client: httpx.AsyncClient, path: str, body: Any, retry: int | str | None) -> httpx.Response:
    headers = {} if retry is None else {b"x-stainless-retry-count": str(retry).encode()}
    return await client.post(path, json=body, headers=headers)


async def payments(runtime: Runtime) -> int:
    async with runtime.database.read() as read:
        count: int = await read.fetchval("SELECT count(*) FROM payments")
        return count


async def ordered(shop: Shop, **fields: Any) -> dict[str, Any]:
    return order_request(item(await shop.product()), payment_link=True, **fields)


@pytest.mark.parametrize("known", [True, False])
async def test_a_lost_answer_is_given_to_the_retry(runtime: Runtime, shop: Shop, known: bool) -> None:
    who = {"customer_id": await shop.customer("ana@example.com")} if known else {"email": "ana@example.com"}
    body = await ordered(shop, customer=who)
    lost = await attempt(shop.client, "/payments", body, 0)
    first, second = [await attempt(shop.client, "/payments", body, retry) for retry in (1, 2)]
    for again in (first, second):
        assert (again.status_code, again.content, again.headers[REPLAYED]) == (200, lost.content, "true")
    assert await payments(runtime) == 1


async def test_what_never_arrived_is_carried_out(runtime: Runtime, shop: Shop) -> None:
    body = await ordered(shop)
    made = await attempt(shop.client, "/payments", body, 1)
    assert made.status_code == 200 and REPLAYED not in made.headers
    again = await attempt(shop.client, "/payments", body, 2)
    assert (again.content, again.headers[REPLAYED]) == (made.content, "true")
    assert await payments(runtime) == 1


async def test_a_second_purchase_is_a_second_payment(runtime: Runtime, shop: Shop) -> None:
    body = await ordered(shop)
    made = [await attempt(shop.client, "/payments", body, retry) for retry in (0, 0, None, "x", "-1", "1.0", "٣")]
    assert len({answer.json()["payment_id"] for answer in made}) == 7
    assert await payments(runtime) == 7


async def test_two_lost_answers_are_given_to_two_retries_the_newest_first(runtime: Runtime, shop: Shop) -> None:
    body = await ordered(shop)
    older = await attempt(shop.client, "/payments", body, 0)
    shop.clock.advance(seconds=1)
    newer = await attempt(shop.client, "/payments", body, 0)
    given = [(await attempt(shop.client, "/payments", body, 1)).content for _ in range(2)]
    assert given == [newer.content, older.content]
    shop.clock.advance(seconds=1)
    third = await attempt(shop.client, "/payments", body, 1)
    assert REPLAYED not in third.headers and await payments(runtime) == 3
    assert (await attempt(shop.client, "/payments", body, 2)).content == third.content


async def test_simultaneous_retries_of_lost_answers_each_get_their_own(
    runtime: Runtime, shop: Shop, merchant: Merchant
) -> None:
    elsewhere = client_for(create_app(runtime), merchant.key)
    body = await ordered(shop)
    lost = []
    for _ in range(8):
        lost.append((await attempt(shop.client, "/payments", body, 0)).json()["payment_id"])
        shop.clock.advance(seconds=1)
    clients = [shop.client, elsewhere] * 4
    again = await asyncio.gather(*(attempt(client, "/payments", body, 1) for client in clients))
    assert sorted(answer.json()["payment_id"] for answer in again) == sorted(lost)
    assert await payments(runtime) == 8


async def test_key_path_and_every_byte_count(
    runtime: Runtime, shop: Shop, merchant: Merchant, other_merchant: Merchant
) -> None:
    body = await ordered(shop)
    made = await attempt(shop.client, "/payments", body, 0)
    _, another = await create_key(runtime, merchant.tenant, read_only=False)
    async with client_for(shop.browser._transport.app, another) as rotated:  # type: ignore[attr-defined]
        assert REPLAYED not in (await attempt(rotated, "/payments", body, 1)).headers
    assert REPLAYED not in (await attempt(shop.client, "/payments", body | {"metadata": {"a": "b"}}, 1)).headers
    assert REPLAYED not in (await attempt(shop.client, "/payments?a=b", body, 1)).headers
    assert (await attempt(other_merchant.client, "/payments", body, 1)).status_code == 404
    assert (await attempt(merchant.live_client, "/payments", body, 1)).status_code == 404
    assert (await attempt(shop.client, "/payments", body, 1)).content == made.content
    assert await payments(runtime) == 4


async def test_the_window_is_five_minutes(runtime: Runtime, shop: Shop) -> None:
    body = await ordered(shop)
    made = await attempt(shop.client, "/payments", body, 0)
    shop.clock.advance(minutes=5, microseconds=-1)
    await sweep(runtime)
    assert (await attempt(shop.client, "/payments", body, 1)).content == made.content
    shop.clock.advance(microseconds=1)
    assert REPLAYED not in (await attempt(shop.client, "/payments", body, 2)).headers
    shop.clock.advance(minutes=5)
    await sweep(runtime)
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM kept_answers") == 0


async def test_what_names_nobody_is_carried_out(runtime: Runtime, merchant: Merchant) -> None:
    """The same bytes may come from every buyer, or from a form for every product."""
    answers = [await attempt(merchant.client, "/brands", {"name": "Press"}, retry) for retry in (0, 1)]
    assert len({answer.json()["brand_id"] for answer in answers}) == 2
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM kept_answers") == 0


async def test_a_refund_is_found_again_by_its_payment(runtime: Runtime, shop: Shop) -> None:
    payment_id = (await shop.purchase(await shop.product()))["payment_id"]
    lost = await attempt(shop.client, "/refunds", {"payment_id": payment_id}, 0)
    again = await attempt(shop.client, "/refunds", {"payment_id": payment_id}, 1)
    assert (again.content, again.headers[REPLAYED]) == (lost.content, "true")
    refused = await attempt(shop.client, "/refunds", {"payment_id": payment_id}, 0)
    assert refused.json()["code"] == "PAYMENT_ALREADY_REFUNDED"


async def test_a_path_that_names_an_object_counts(shop: Shop) -> None:
    product = await shop.product(pricing_mode="by_currency")
    path, body = f"/products/{product}/localized-prices", {"amount": 900, "currency": "EUR"}
    lost = await attempt(shop.client, path, body, 0)
    again = await attempt(shop.client, path, body, 1)
    assert (again.content, again.headers[REPLAYED]) == (lost.content, "true")


async def test_a_lost_answer_keeps_its_discount(runtime: Runtime, shop: Shop) -> None:
    discount_id = await shop.percentage("ONCE", 5000, usage_limit=1)
    body = await ordered(shop, discount_code="ONCE")
    lost = await attempt(shop.client, "/payments", body, 0)
    again = await attempt(shop.client, "/payments", body, 1)
    assert (again.content, again.headers[REPLAYED]) == (lost.content, "true")
    assert await shop.uses(discount_id) == (0, 1)
    anyone = body | {"customer": {"email": "kim@example.com"}}
    refused = await attempt(shop.client, "/payments", anyone, 0)
    assert refused.json()["code"] == "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED"


async def test_a_retry_waits_for_the_request_that_was_given_up(
    runtime: Runtime, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id = (await shop.purchase(await shop.product()))["payment_id"]
    reached, go_on = asyncio.Event(), asyncio.Event()
    refund = Simulator.refund

    async def slowly(self: Simulator, request: Any) -> Any:
        reached.set()
        await go_on.wait()
        return await refund(self, request)

    monkeypatch.setattr(Simulator, "refund", slowly)
    first = asyncio.create_task(attempt(shop.client, "/refunds", {"payment_id": payment_id}, 0))
    await reached.wait()
    second = asyncio.create_task(attempt(shop.client, "/refunds", {"payment_id": payment_id}, 1))
    await asyncio.sleep(0.05)
    assert not second.done()
    go_on.set()
    assert (await second).content == (await first).content
    assert (await second).json()["status"] == "succeeded"


async def test_a_retry_that_has_waited_long_is_told_to_come_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    payment_id = (await shop.purchase(await shop.product()))["payment_id"]
    reached, go_on = asyncio.Event(), asyncio.Event()
    refund = Simulator.refund

    async def slowly(self: Simulator, request: Any) -> Any:
        reached.set()
        await go_on.wait()
        return await refund(self, request)

    monkeypatch.setattr(Simulator, "refund", slowly)
    monkeypatch.setattr("nicobar.api.retries.LONGEST_WAIT", 0.01)
    first = asyncio.create_task(attempt(shop.client, "/refunds", {"payment_id": payment_id}, 0))
    await reached.wait()
    waiting = await attempt(shop.client, "/refunds", {"payment_id": payment_id}, 1)
    assert (waiting.status_code, waiting.json()["code"]) == (409, "IDEMPOTENT_REQUEST_RUNNING")
    assert (waiting.headers["x-should-retry"], waiting.headers["retry-after-ms"]) == ("true", "1000")
    go_on.set()
    assert (await first).status_code == 200


async def test_after_a_crash_the_refund_as_it_is_answers(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    payment_id = (await shop.purchase(await shop.product()))["payment_id"]

    async def lose(*_: object) -> None:
        return None

    with monkeypatch.context() as crash:
        crash.setattr("nicobar.api.retries.complete_answer", lose)
        lost = await attempt(shop.client, "/refunds", {"payment_id": payment_id}, 0)
    again = await attempt(shop.client, "/refunds", {"payment_id": payment_id}, 1)
    assert (again.status_code, again.json(), again.headers[REPLAYED]) == (200, lost.json(), "true")
