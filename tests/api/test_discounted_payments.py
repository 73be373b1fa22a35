"""Discount codes on payments: how they stack, who may use them, and how often they are used."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import Databases, FakeClock, Merchant, Server
from nicobar.flows.runtime import Runtime
from nicobar.flows.sweep import sweep
from nicobar.storage.database import Database
from nicobar.storage.redemptions import discount_counter_differences
from orders import dump, pay
from shop import EXAMPLE_RATES, Shop, item, order_request

DECLINED = "4000000000009995"
CHALLENGED = "4000002760003184"


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.rates(EXAMPLE_RATES)
    return shop


async def counters_agree(runtime: Runtime) -> None:
    async with runtime.database.read() as read:
        assert await discount_counter_differences(read) == []


async def status(shop: Shop, created: dict[str, Any]) -> str:
    found: str = (await shop.read(f"/payments/{created['payment_id']}"))["status"]
    return found


async def purchase(shop: Shop, product: str, **fields: Any) -> dict[str, Any]:
    """Create a payment with a link and pay it on the hosted page."""
    created = await shop.create(order_request(item(product), payment_link=True, **fields))
    await pay(shop.browser, created["payment_link"])
    assert await status(shop, created) == "succeeded"
    return created


# --- stacking --------------------------------------------------------------------------------------------------------


async def test_codes_work_in_their_order_and_are_told_in_it(shop: Shop) -> None:
    product = await shop.product(10_000)
    ids = {
        "FLAT": await shop.flat("FLAT", 2000),
        "TEN": await shop.percentage("TEN", 1000),
        "HALF": await shop.percentage("HALF", 5000),
    }
    for codes, total in (
        (["FLAT", "TEN", "HALF"], 3600),
        (["TEN", "FLAT", "HALF"], 3500),
        (["HALF", "TEN", "FLAT"], 2500),
    ):
        bought = await shop.buy(item(product), discount_codes=codes)
        in_order = [ids[code] for code in codes]
        assert bought.created["total_amount"] == total
        assert (bought.created["discount_id"], bought.created["discount_ids"]) == (in_order[0], in_order)
        assert bought.payment["discount_id"] == in_order[0]
        told = [(found["discount_id"], found["code"], found["position"]) for found in bought.payment["discounts"]]
        assert told == [(ids[code], code, position) for position, code in enumerate(codes)]


async def test_one_code_in_either_field_in_any_case(shop: Shop) -> None:
    product = await shop.product(10_000)
    discount_id = await shop.percentage("Spring-26", 1000)
    for fields in ({"discount_code": " spring-26 "}, {"discount_codes": ["SPRING-26"]}):
        bought = await shop.buy(item(product), **fields)
        assert bought.created["total_amount"] == 9000
        assert (bought.created["discount_id"], bought.created["discount_ids"]) == (discount_id, [discount_id])
    without = await shop.buy(item(product), discount_codes=[])
    assert (without.created["discount_id"], without.created["discount_ids"]) == (None, None)
    assert (without.payment["discount_id"], without.payment["discounts"]) == (None, None)


async def test_twenty_codes_and_not_one_more(shop: Shop) -> None:
    product = await shop.product(1_000_000)
    codes = [f"CODE{number}" for number in range(21)]
    for code in codes:
        await shop.percentage(code, 500)
    bought = await shop.buy(item(product), discount_codes=codes[:20])
    # 1,000,000 x 0.95 ^ 20 = 358485.92 ...
    assert bought.created["total_amount"] == 358_486
    assert [found["code"] for found in bought.payment["discounts"]] == codes[:20]
    assert (await shop.refusal(item(product), discount_codes=codes))[:2] == (422, "INVALID_REQUEST_BODY")
    twice = await shop.refusal(item(product), discount_codes=["CODE1", "code1"])
    assert twice[1:] == ("INVALID_REQUEST_BODY", "discount_codes[1]: Your request body is invalid. CODE1 is in the list twice.")
    both = await shop.refusal(item(product), discount_code="CODE1", discount_codes=["CODE2"])
    assert both[:2] == (422, "INVALID_REQUEST_BODY")


async def test_a_code_keeps_to_its_products(shop: Shop) -> None:
    record, book = await shop.product(5000), await shop.product(3000)
    await shop.flat("BOOKS", 4000, restricted_to=[book])
    bought = await shop.buy(item(record), item(book), discount_code="BOOKS")
    assert bought.amounts == (8000, 3000, 0, 5000)
    assert [line["amount"] for line in bought.lines] == [5000, 0]
    refused = await shop.refusal(item(record), discount_code="BOOKS")
    assert refused == (
        422,
        "DISCOUNT_NOT_AVAILABLE_FOR_PRODUCT",
        "discount_code: Discount coupon not available for this product",
    )


async def test_one_wrong_code_refuses_the_whole_order_and_reserves_nothing(shop: Shop) -> None:
    product = await shop.product(5000)
    good = await shop.percentage("GOOD", 1000, usage_limit=5)
    refused = await shop.refusal(item(product), discount_codes=["GOOD", "NOPE"])
    assert refused == (422, "INVALID_DISCOUNT_CODE", "discount_codes[1]: Invalid Discount Code: NOPE")
    assert await shop.uses(good) == (0, 0)


async def test_a_deleted_code_is_unknown_and_its_payments_keep_it(shop: Shop) -> None:
    product = await shop.product(5000)
    discount_id = await shop.percentage("GONE", 1000)
    bought = await shop.buy(item(product), discount_code="GONE")
    assert (await shop.client.delete(f"/discounts/{discount_id}")).status_code in (200, 204)
    assert (await shop.refusal(item(product), discount_code="GONE"))[1] == "INVALID_DISCOUNT_CODE"
    assert await shop.read(f"/payments/{bought.created['payment_id']}") == bought.payment


# --- when and how much -----------------------------------------------------------------------------------------------


async def test_a_code_works_from_its_start_until_its_end(shop: Shop, clock: FakeClock) -> None:
    product = await shop.product(5000)
    await shop.percentage("MAY", 1000, starts_at="2026-05-01T00:00:00Z", expires_at="2026-06-01T02:00:00+02:00")
    for moment, code in (
        ("2026-04-30T23:59:59.999999+00:00", "DISCOUNT_NOT_YET_ACTIVE"),
        ("2026-05-01T00:00:00+00:00", ""),
        ("2026-05-31T23:59:59.999999+00:00", ""),
        ("2026-06-01T00:00:00+00:00", "DISCOUNT_CODE_EXPIRED"),
    ):
        clock.moment = type(clock.moment).fromisoformat(moment)
        if code:
            assert (await shop.refusal(item(product), discount_code="MAY"))[:2] == (422, code)
        else:
            assert (await shop.buy(item(product), discount_code="MAY")).created["total_amount"] == 4500


async def test_a_minimum_in_another_currency(shop: Shop) -> None:
    """4600 cents are 50 dollars at 0.92: the list price counts, in the row's currency, whoever pays in what."""
    row = [{"currency": "EUR", "minimum_subtotal": 4600}]
    await shop.percentage("LARGE", 1000, currency_options=row)
    enough, less = await shop.product(5000, discount_bps=9000), await shop.product(4999)
    for adaptive, country in (("off", "DE"), ("on", "DE"), ("on", "JP")):
        await shop.settings(adaptive_pricing=adaptive, tax="table")
        bought = await shop.buy(item(enough), country=country, discount_code="LARGE")
        assert len(bought.payment["discounts"]) == 1
        refused = await shop.refusal(item(less), country=country, discount_code="LARGE")
        assert refused == (
            422,
            "DISCOUNT_MINIMUM_SUBTOTAL_NOT_MET",
            "discount_code: Cart subtotal is below the discount's minimum required subtotal",
        )


async def test_a_flat_code_has_a_row_for_each_currency(shop: Shop) -> None:
    await shop.settings(adaptive_pricing="on")
    rows = [
        {"currency": "USD", "max_amount_possible": 1000, "is_default": True},
        {"currency": "EUR", "max_amount_possible": 700},
    ]
    await shop.flat("ROWS", 0, currency_options=rows)
    product = await shop.product(10_000)
    euros = await shop.buy(item(product), country="DE", discount_code="ROWS")
    assert euros.amounts == (9200, 700, 0, 8500)
    assert euros.step("code")["source"].endswith("currency row EUR")
    yen = await shop.buy(item(product), country="JP", discount_code="ROWS")
    assert yen.amounts == (14_937, 1494, 0, 13_443)
    assert yen.step("code")["source"].endswith("currency row USD at 149.37 (example)")


# --- customers -------------------------------------------------------------------------------------------------------


async def test_first_time_and_existing_customers(shop: Shop) -> None:
    product = await shop.product(2000)
    await shop.percentage("WELCOME", 1000, customer_eligibility="first_time")
    await shop.percentage("LOYAL", 2000, customer_eligibility="existing")
    free = await shop.product(0)
    ana = await shop.customer("ana@example.com")
    by_id, by_mail = {"customer": {"customer_id": ana}}, {"customer": {"email": "ANA@example.com"}}
    await shop.create(order_request(item(free), **by_id))  # succeeds, but costs nothing: no purchase
    await shop.create(order_request(item(product), **by_id))  # is not paid
    for who in (by_id, by_mail, {"customer": {"email": "new@example.com"}}):
        assert (await shop.refusal(item(product), discount_code="LOYAL", **who))[:2] == (
            422,
            "DISCOUNT_CUSTOMER_NOT_ELIGIBLE",
        )
    await purchase(shop, product, discount_code="WELCOME", **by_mail)
    for who in (by_id, by_mail):
        assert (await shop.refusal(item(product), discount_code="WELCOME", **who))[1] == "DISCOUNT_CUSTOMER_NOT_ELIGIBLE"
        assert (await shop.buy(item(product), discount_code="LOYAL", **who)).created["total_amount"] == 1600
    new = {"customer": {"email": "kim@example.com"}}
    assert (await shop.buy(item(product), discount_code="WELCOME", **new)).created["total_amount"] == 1800


async def test_a_code_for_a_list_of_customers(shop: Shop) -> None:
    product = await shop.product(2000)
    discount_id = await shop.percentage("FRIENDS", 1000, customer_eligibility="specific")
    ana, kim = await shop.customer("ana@example.com"), await shop.customer("kim@example.com")
    for who in ({"customer_id": ana}, {"customer_id": kim}, {"email": "new@example.com"}):
        refused = await shop.refusal(item(product), discount_code="FRIENDS", customer=who)
        assert refused[1] == "DISCOUNT_CUSTOMER_NOT_ELIGIBLE"
    added = await shop.client.post(f"/discounts/{discount_id}/customers", json={"customer_ids": [ana]})
    assert added.status_code == 200, added.text
    for who in ({"customer_id": ana}, {"email": "Ana@Example.com"}):
        bought = await shop.buy(item(product), discount_code="FRIENDS", customer=who)
        assert bought.created["total_amount"] == 1800
    refused = await shop.refusal(item(product), discount_code="FRIENDS", customer={"customer_id": kim})
    assert refused[1] == "DISCOUNT_CUSTOMER_NOT_ELIGIBLE"


async def test_a_limit_for_each_customer(shop: Shop, runtime: Runtime, clock: FakeClock) -> None:
    product = await shop.product(2000)
    discount_id = await shop.percentage("TWICE", 1000, per_customer_usage_limit=2)
    ana, kim = {"customer": {"email": "ana@example.com"}}, {"customer": {"email": "kim@example.com"}}
    await purchase(shop, product, discount_code="TWICE", **ana)
    await shop.buy(item(product), discount_code="TWICE", **ana)
    refused = await shop.refusal(item(product), discount_code="TWICE", **ana)
    assert refused[:2] == (422, "DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED")
    await shop.buy(item(product), discount_code="TWICE", **kim)
    assert await shop.uses(discount_id) == (1, 2)
    clock.advance(days=1)
    await sweep(runtime)
    assert await shop.uses(discount_id) == (1, 0)
    await shop.buy(item(product), discount_code="TWICE", **ana)
    assert (await shop.refusal(item(product), discount_code="TWICE", **ana))[1] == refused[1]


async def test_simultaneous_orders_of_one_new_customer_share_its_limit(shop: Shop, runtime: Runtime) -> None:
    discount_id = await shop.percentage("ONCE", 1000, per_customer_usage_limit=1)
    request = order_request(item(await shop.product(2000)), discount_code="ONCE")
    answers = await asyncio.gather(*[shop.client.post("/payments", json=request) for _ in range(24)])
    taken = [answer for answer in answers if answer.status_code == 200]
    refused = {answer.json()["code"] for answer in answers if answer.status_code != 200}
    assert (len(taken), refused) == (1, {"DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED"})
    assert await shop.uses(discount_id) == (0, 1)
    await counters_agree(runtime)


# --- uses ------------------------------------------------------------------------------------------------------------


async def stored(runtime: Runtime) -> tuple[int, int, int]:
    """Return the numbers of payments, of their lines and of uses of codes."""
    query = (
        "SELECT (SELECT count(*) FROM payments), (SELECT count(*) FROM payment_lines),"
        " (SELECT count(*) FROM discount_redemptions)"
    )
    async with runtime.database.read() as read:
        payments, lines, uses = await read.fetchrow(query) or ()
    return payments, lines, uses


async def test_ten_uses_are_ten_uses_under_sixty_four_creations(
    shop: Shop, runtime: Runtime, clock: FakeClock
) -> None:
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
        order_request(
            item(product), customer={"email": f"c{number}@example.com"}, discount_codes=orders[number % 2]
        )
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
    body = {"name": "Field Guide", "tax_category": "saas", "price": price}
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
    assert (await purchase(shop, product, discount_code="ONCE"))["total_amount"] == 1800
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
