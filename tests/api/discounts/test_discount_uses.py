"""How often discount codes are used: reserved with the payment, counted when it succeeds, given back when it ends."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import Databases, FakeClock, Merchant, Server
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.storage.database import Database
from nicobar.storage.discounts.redemptions import discount_counter_differences
from orders import dump, pay
from shop import Shop, item, order_request

DECLINED = "4000000000009995"
CHALLENGED = "4000002760003184"


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    return Shop(runtime, app, clock, merchant)


async def counters_agree(runtime: Runtime) -> None:
    async with runtime.database.read() as read:
        assert await discount_counter_differences(read) == []


async def status(shop: Shop, created: dict[str, Any]) -> str:
    found: str = (await shop.read(f"/payments/{created['payment_id']}"))["status"]
    return found


async def stored(runtime: Runtime) -> tuple[int, ...]:
    """Return the numbers of payments, of their lines and of uses of codes."""
    query = (
        "SELECT (SELECT count(*) FROM payments), (SELECT count(*) FROM payment_lines),"
        " (SELECT count(*) FROM discount_redemptions)"
    )
    async with runtime.database.read() as read:
        return tuple(await read.fetchrow(query) or ())


async def test_ten_uses_are_ten_uses_under_sixty_four_creations(shop: Shop, runtime: Runtime, clock: FakeClock) -> None:
    product = await shop.product(2000)
    discount_id = await shop.percentage("TEN", 1000, usage_limit=10)
    requests = [
        order_request(
            item(product), customer={"email": f"c{number}@example.com"}, discount_code="TEN", payment_link=True
        )
        for number in range(64)
    ]
    answers = await asyncio.gather(*[shop.client.post("/payments", json=request) for request in requests])
    taken = [answer.json() for answer in answers if answer.status_code == 200]
    refused = {answer.json()["code"] for answer in answers if answer.status_code != 200}
    assert (len(taken), refused) == (10, {"DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED"})
    assert {payment["total_amount"] for payment in taken} == {1800}
    assert await shop.uses(discount_id) == (0, 10)
    assert await stored(runtime) == (10, 10, 10)
    await counters_agree(runtime)

    for payment in taken[:4]:
        await pay(shop.browser, payment["payment_link"])
    assert await shop.uses(discount_id) == (4, 6)
    assert (await shop.refusal(item(product), discount_code="TEN"))[1] == "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED"

    clock.advance(days=1)
    await sweep(runtime)
    assert await shop.uses(discount_id) == (4, 0)
    statuses = [await status(shop, payment) for payment in taken]
    assert statuses == ["succeeded"] * 4 + ["cancelled"] * 6
    again = await asyncio.gather(*[shop.client.post("/payments", json=request) for request in requests])
    assert sum(answer.status_code == 200 for answer in again) == 6
    assert await shop.uses(discount_id) == (4, 6)
    await counters_agree(runtime)


async def test_orders_with_the_same_codes_in_any_order_do_not_block_each_other(shop: Shop, runtime: Runtime) -> None:
    product = await shop.product(2000)
    first = await shop.percentage("FIRST", 1000, usage_limit=30)
    second = await shop.percentage("SECOND", 1000, usage_limit=20)
    orders = (["FIRST", "SECOND"], ["SECOND", "FIRST"])
    requests = [
        order_request(item(product), customer={"email": f"c{number}@example.com"}, discount_codes=orders[number % 2])
        for number in range(40)
    ]
    answers = await asyncio.gather(*[shop.client.post("/payments", json=request) for request in requests])
    assert sorted(answer.status_code for answer in answers) == [200] * 20 + [422] * 20
    assert (await shop.uses(first), await shop.uses(second)) == ((0, 20), (0, 20))
    await counters_agree(runtime)


async def test_ten_uses_are_ten_uses_over_the_network(server: Server, databases: Databases) -> None:
    """The same with a real server, and with clients in as many threads."""

    def call(path: str, body: dict[str, Any]) -> httpx.Response:
        headers = {"authorization": f"Bearer {server.key}"}
        return httpx.post(f"{server.base_url}{path}", json=body, headers=headers, timeout=60)

    price = {"type": "one_time_price", "currency": "USD", "price": 2000}
    body: dict[str, Any] = {"name": "Field Guide", "tax_category": "saas", "price": price}
    product = (await asyncio.to_thread(call, "/products", body)).json()["product_id"]
    body = {"type": "percentage", "amount": 1000, "code": "TEN", "usage_limit": 10}
    discount_id = (await asyncio.to_thread(call, "/discounts", body)).json()["discount_id"]

    def create(number: int) -> httpx.Response:
        customer = {"email": f"c{number}@example.com"}
        return call("/payments", order_request(item(product), customer=customer, discount_code="TEN"))

    def storm() -> list[httpx.Response]:
        with ThreadPoolExecutor(64) as threads:
            return list(threads.map(create, range(64)))

    answers = await asyncio.to_thread(storm)
    refused = {answer.json()["code"] for answer in answers if answer.status_code != 200}
    assert sum(answer.status_code == 200 for answer in answers) == 10
    assert refused == {"DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED"}
    database = Database(databases.dsn("nicobar_server"), size=1)
    async with database.read() as read:
        query = "SELECT times_used, times_reserved FROM discounts WHERE business_id = $1 AND discount_id = $2"
        assert tuple(await read.fetchrow(query, server.tenant.business_id, discount_id) or ()) == (0, 10)
        made = "SELECT count(*) FROM payments WHERE business_id = $1"
        assert await read.fetchval(made, server.tenant.business_id) == 10
    await database.close()


async def test_a_failed_payment_holds_its_use_until_its_link_is_over(
    shop: Shop, runtime: Runtime, clock: FakeClock
) -> None:
    product = await shop.product(2000)
    discount_id = await shop.percentage("ONCE", 1000, usage_limit=1)
    created = await shop.create(order_request(item(product), discount_code="ONCE", payment_link=True))
    await pay(shop.browser, created["payment_link"], number=DECLINED)
    clock.advance(hours=24, microseconds=-1)
    await sweep(runtime)
    assert (await status(shop, created), await shop.uses(discount_id)) == ("failed", (0, 1))
    clock.advance(microseconds=1)
    await sweep(runtime)
    assert (await status(shop, created), await shop.uses(discount_id)) == ("failed", (0, 0))
    assert (await shop.purchase(product, discount_code="ONCE"))["total_amount"] == 1800
    assert await shop.uses(discount_id) == (1, 0)


async def test_a_second_try_uses_the_code_once(shop: Shop, runtime: Runtime) -> None:
    discount_id = await shop.percentage("ONCE", 1000, usage_limit=1)
    request = order_request(item(await shop.product(2000)), discount_code="ONCE", payment_link=True)
    created = await shop.create(request)
    await pay(shop.browser, created["payment_link"], number=DECLINED)
    assert await shop.uses(discount_id) == (0, 1)
    await pay(shop.browser, created["payment_link"])
    assert (await status(shop, created), await shop.uses(discount_id)) == ("succeeded", (1, 0))
    await counters_agree(runtime)


async def test_a_payment_under_way_keeps_its_use_beyond_its_link(
    shop: Shop, runtime: Runtime, clock: FakeClock
) -> None:
    discount_id = await shop.percentage("ONCE", 1000, usage_limit=1)
    request = order_request(item(await shop.product(2000)), discount_code="ONCE", payment_link=True)
    created = await shop.create(request)
    clock.advance(hours=24, seconds=-30)
    await pay(shop.browser, created["payment_link"], number=CHALLENGED)
    assert await status(shop, created) == "requires_customer_action"
    clock.advance(seconds=31)
    await sweep(runtime)
    assert (await status(shop, created), await shop.uses(discount_id)) == ("requires_customer_action", (0, 1))


async def test_a_payment_without_a_link_gives_its_use_back_when_it_expires(
    shop: Shop, runtime: Runtime, clock: FakeClock
) -> None:
    discount_id = await shop.percentage("ONCE", 1000, usage_limit=1)
    created = await shop.create(order_request(item(await shop.product(2000)), discount_code="ONCE"))
    assert await shop.uses(discount_id) == (0, 1)
    clock.advance(days=1)
    await sweep(runtime)
    assert (await status(shop, created), await shop.uses(discount_id)) == ("cancelled", (0, 0))


async def test_a_free_payment_without_a_link_counts_at_once(shop: Shop, runtime: Runtime) -> None:
    product = await shop.product(2000)
    discount_id = await shop.percentage("FREE", 10_000, usage_limit=2)
    bought = await shop.buy(item(product), discount_code="FREE")
    assert (bought.amounts, bought.payment["status"]) == ((2000, 2000, 0, 0), "succeeded")
    assert await shop.uses(discount_id) == (1, 0)
    waits = await shop.create(order_request(item(product), discount_code="FREE", payment_link=True))
    assert (await status(shop, waits), await shop.uses(discount_id)) == ("requires_payment_method", (1, 1))
    await pay(shop.browser, waits["payment_link"])
    assert (await status(shop, waits), await shop.uses(discount_id)) == ("succeeded", (2, 0))
    assert (await shop.refusal(item(product), discount_code="FREE"))[1] == "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED"
    await counters_agree(runtime)


async def test_simultaneous_free_payments_keep_the_limit(shop: Shop, runtime: Runtime) -> None:
    discount_id = await shop.percentage("FREE", 10_000, usage_limit=3)
    request = order_request(item(await shop.product(2000)), discount_code="FREE")
    answers = await asyncio.gather(*[shop.client.post("/payments", json=request) for _ in range(24)])
    assert sum(answer.status_code == 200 for answer in answers) == 3
    assert await shop.uses(discount_id) == (3, 0)
    assert await stored(runtime) == (3, 3, 3)


async def test_a_refusal_after_the_codes_takes_no_use(shop: Shop) -> None:
    """What is checked later, the minimum charge and the payment methods, refuses without a trace, too."""
    product = await shop.product(2000)
    discount_id = await shop.percentage("MOST", 9_800, usage_limit=5)
    small = await shop.refusal(item(product), discount_code="MOST")
    assert small[1] == "TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT"
    methods = await shop.refusal(item(product, 5), discount_code="MOST", allowed_payment_method_types=["przelewy24"])
    assert methods[1] == "NO_ELIGIBLE_PAYMENT_METHODS"
    assert await shop.uses(discount_id) == (0, 0)


@pytest.mark.parametrize("who", ["other", "live"])
async def test_codes_belong_to_one_merchant_and_mode(shop: Shop, other_merchant: Merchant, who: str) -> None:
    await shop.percentage("MINE", 1000)
    client = other_merchant.client if who == "other" else shop.merchant.live_client
    price = {"type": "one_time_price", "currency": "USD", "price": 2000}
    made = await client.post("/products", json={"name": "Theirs", "tax_category": "saas", "price": price})
    before = await dump(shop.runtime)
    request = order_request(item(made.json()["product_id"]), discount_code="MINE")
    assert (await client.post("/payments", json=request)).json()["code"] == "INVALID_DISCOUNT_CODE"
    assert await dump(shop.runtime) == before


async def test_simultaneous_orders_of_one_new_customer_share_its_limit(shop: Shop, runtime: Runtime) -> None:
    discount_id = await shop.percentage("ONCE", 1000, per_customer_usage_limit=1)
    request = order_request(item(await shop.product(2000)), discount_code="ONCE")
    answers = await asyncio.gather(*[shop.client.post("/payments", json=request) for _ in range(24)])
    taken = [answer for answer in answers if answer.status_code == 200]
    refused = {answer.json()["code"] for answer in answers if answer.status_code != 200}
    assert (len(taken), refused) == (1, {"DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED"})
    assert await shop.uses(discount_id) == (0, 1)
    await counters_agree(runtime)
