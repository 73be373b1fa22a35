"""How often discount codes are used: reserved with the payment, counted when it succeeds, given back when it ends."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from harness import Databases, FakeClock, Merchant, Server
from nicobar.flows.payments.end_link import end_link
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.storage.database import Database
from nicobar.storage.discounts.redemptions import discount_counter_differences
from orders import dump, pay, token_of
from shop import Shop, item, order_request

DECLINED = "4000000000009995"
CHALLENGED = "4000002760003184"


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


async def test_a_decline_gives_the_use_back_and_the_next_try_takes_it_again(shop: Shop, runtime: Runtime) -> None:
    discount_id = await shop.percentage("ONCE", 1000, usage_limit=1)
    request = order_request(item(await shop.product(2000)), discount_code="ONCE", payment_link=True)
    created = await shop.create(request)
    await pay(shop.browser, created["payment_link"], number=DECLINED)
    assert (await status(shop, created), await shop.uses(discount_id)) == ("failed", (0, 0))
    await counters_agree(runtime)
    await pay(shop.browser, created["payment_link"])
    assert (await status(shop, created), await shop.uses(discount_id)) == ("succeeded", (1, 0))
    assert (await shop.read(f"/payments/{created['payment_id']}"))["total_amount"] == 1800
    await counters_agree(runtime)


async def test_a_declined_payment_whose_code_is_used_up_meanwhile_is_shown_without_it(
    shop: Shop, runtime: Runtime
) -> None:
    product = await shop.product(2000)
    discount_id = await shop.percentage("ONCE", 1000, usage_limit=1)
    created = await shop.create(order_request(item(product), discount_code="ONCE", payment_link=True))
    await pay(shop.browser, created["payment_link"], number=DECLINED)
    await shop.purchase(product, discount_code="ONCE", customer={"email": "kim@example.com"})
    await pay(shop.browser, created["payment_link"])
    shown = await shop.read(f"/payments/{created['payment_id']}")
    assert (shown["status"], shown["total_amount"], shown["discounts"]) == ("failed", 2000, None)
    assert (await shop.read(f"/payments/{created['payment_id']}/explain"))["recomputed"] is True
    await pay(shop.browser, created["payment_link"])
    assert (await status(shop, created), await shop.uses(discount_id)) == ("succeeded", (1, 0))
    await counters_agree(runtime)


async def test_an_off_session_decline_gives_the_use_back(shop: Shop, runtime: Runtime) -> None:
    product = await shop.product(2000)
    customer = await shop.customer("ana@example.com")
    saving = await shop.create(order_request(item(product), payment_link=True, customer={"customer_id": customer}))
    await pay(shop.browser, saving["payment_link"], save="yes")
    (saved,) = (await shop.read(f"/customers/{customer}/payment-methods"))["items"]
    method = saved["payment_method_id"]
    discount_id = await shop.percentage("ONCE", 1000, usage_limit=1)
    body = {"customer": {"customer_id": customer}, "payment_method_id": method, "discount_code": "ONCE"}
    scenario = {"nicobar_scenario": "decline"}
    created = await shop.create(order_request(item(product), metadata=scenario, **body))
    assert (await status(shop, created), await shop.uses(discount_id)) == ("failed", (0, 0))
    assert (await shop.purchase(product, discount_code="ONCE"))["total_amount"] == 1800
    assert await shop.uses(discount_id) == (1, 0)
    await counters_agree(runtime)


async def test_a_link_that_is_ended_gives_the_use_back_at_once(shop: Shop, runtime: Runtime) -> None:
    discount_id = await shop.percentage("ONCE", 1000, usage_limit=1)
    request = order_request(item(await shop.product(2000)), discount_code="ONCE", payment_link=True)
    created = await shop.create(request)
    assert await end_link(runtime, shop.merchant.tenant, created["payment_id"])
    assert await shop.uses(discount_id) == (0, 0)
    await sweep(runtime)
    assert (await status(shop, created), await shop.uses(discount_id)) == ("cancelled", (0, 0))
    await counters_agree(runtime)


async def test_a_newer_payment_of_the_customer_takes_the_code_over(shop: Shop, runtime: Runtime) -> None:
    """Whatever its cart; the older one is shown again, at the price without the code."""
    product, other = await shop.product(2000), await shop.product(5000)
    once = await shop.percentage("ONCE", 1000, usage_limit=1)
    free = await shop.percentage("ALWAYS", 500)
    older = await shop.create(order_request(item(product), discount_codes=["ONCE", "ALWAYS"], payment_link=True))
    form = token_of(await shop.browser.get(older["payment_link"]))
    newer = await shop.create(order_request(item(other), discount_code="ONCE", payment_link=True))
    assert newer["total_amount"] == 4500
    shown = await shop.read(f"/payments/{older['payment_id']}")
    assert (shown["total_amount"], [found["code"] for found in shown["discounts"]]) == (1900, ["ALWAYS"])
    assert (await shop.read(f"/payments/{older['payment_id']}/explain"))["recomputed"] is True
    assert (await shop.uses(once), await shop.uses(free)) == ((0, 1), (0, 1))
    filled = {"number": "4242424242424242", "expiry": "06/32", "cvc": "123", "name": "Ana Lima", "token": form}
    await shop.browser.post(older["payment_link"], data=filled)
    assert await status(shop, older) == "requires_payment_method"  # the form showed the old price
    for payment in (older, newer):
        await pay(shop.browser, payment["payment_link"])
        assert await status(shop, payment) == "succeeded"
    assert (await shop.uses(once), await shop.uses(free)) == ((1, 0), (1, 0))
    await counters_agree(runtime)


async def test_a_code_of_a_payment_that_is_being_paid_is_not_taken_over(shop: Shop, runtime: Runtime) -> None:
    product = await shop.product(2000)
    discount_id = await shop.percentage("ONCE", 1000, usage_limit=1)
    older = await shop.create(order_request(item(product), discount_code="ONCE", payment_link=True))
    await pay(shop.browser, older["payment_link"], number=CHALLENGED)
    refused = await shop.refusal(item(product), discount_code="ONCE")
    assert refused[:2] == (422, "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED")
    assert await shop.uses(discount_id) == (0, 1)


async def test_nobody_takes_over_what_another_customer_holds(shop: Shop) -> None:
    product = await shop.product(2000)
    await shop.percentage("ONCE", 1000, usage_limit=1)
    await shop.create(order_request(item(product), discount_code="ONCE"))
    refused = await shop.refusal(item(product), discount_code="ONCE", customer={"email": "kim@example.com"})
    assert refused[1] == "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED"


async def test_a_code_that_deducts_nothing_takes_no_use(shop: Shop, runtime: Runtime) -> None:
    gift = await shop.product(0)
    discount_id = await shop.percentage("ONCE", 1000, usage_limit=1)
    for payment_link in (True, False):
        created = await shop.create(order_request(item(gift), discount_code="ONCE", payment_link=payment_link))
        assert (created["total_amount"], await shop.uses(discount_id)) == (0, (0, 0))
    await counters_agree(runtime)


async def test_a_first_time_code_works_once_for_a_customer(shop: Shop, runtime: Runtime) -> None:
    """Free orders count, and several open payments cannot each hold it."""
    product = await shop.product(2000)
    discount_id = await shop.percentage("WELCOME", 10_000, customer_eligibility="first_time")
    half = await shop.percentage("HALF", 5000, customer_eligibility="first_time")
    opened = [
        await shop.create(order_request(item(product), discount_code=code, payment_link=True))
        for code in ("WELCOME", "HALF", "WELCOME")
    ]
    assert (await shop.uses(discount_id), await shop.uses(half)) == ((0, 1), (0, 0))
    amounts = [(await shop.read(f"/payments/{made['payment_id']}"))["total_amount"] for made in opened]
    assert amounts == [2000, 2000, 0]
    assert (await shop.create(order_request(item(product), discount_code="WELCOME")))["total_amount"] == 0
    assert await shop.uses(discount_id) == (1, 0)
    for _ in range(3):
        refused = await shop.refusal(item(product), discount_code="WELCOME")
        assert refused[:2] == (422, "DISCOUNT_CUSTOMER_NOT_ELIGIBLE")
    await counters_agree(runtime)


async def test_orders_of_one_customer_at_once_get_one_first_time_code(shop: Shop, runtime: Runtime) -> None:
    discount_id = await shop.percentage("WELCOME", 10_000, customer_eligibility="first_time")
    request = order_request(item(await shop.product(2000)), discount_code="WELCOME")
    answers = await asyncio.gather(*[shop.client.post("/payments", json=request) for _ in range(16)])
    free = [answer for answer in answers if answer.status_code == 200]
    assert (len(free), {answer.json()["code"] for answer in answers if answer.status_code != 200}) == (
        1,
        {"DISCOUNT_CUSTOMER_NOT_ELIGIBLE"},
    )
    assert await shop.uses(discount_id) == (1, 0)


async def test_an_open_payment_does_not_make_an_existing_customer(shop: Shop) -> None:
    product = await shop.product(2000)
    await shop.percentage("ANY", 1000)
    await shop.percentage("LOYAL", 2000, customer_eligibility="existing")
    await shop.create(order_request(item(product), discount_code="ANY"))
    refused = await shop.refusal(item(product), discount_code="LOYAL")
    assert refused[1] == "DISCOUNT_CUSTOMER_NOT_ELIGIBLE"


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
    taken = [answer.json()["payment_id"] for answer in answers if answer.status_code == 200]
    refused = {answer.json()["code"] for answer in answers if answer.status_code != 200}
    assert taken and refused <= {"DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED"}
    totals = [(await shop.read(f"/payments/{payment_id}"))["total_amount"] for payment_id in taken]
    assert sorted(totals) == [1800] + [2000] * (len(taken) - 1)
    assert await shop.uses(discount_id) == (0, 1)
    await counters_agree(runtime)
