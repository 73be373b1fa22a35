"""Discount codes on payments: how they stack, when and for whom they work, and what they take off."""

from typing import Any

import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.repricing import PaymentChange
from nicobar.core.problems import Problem
from nicobar.flows.payments.reprice_payment import reprice_payment
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from shop import EXAMPLE_RATES, Shop, item, order_request


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.rates(EXAMPLE_RATES)
    return shop


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
    assert twice[1:] == (
        "INVALID_REQUEST_BODY",
        "discount_codes[1]: Your request body is invalid. CODE1 is in the list twice.",
    )
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
    assert (await shop.client.delete(f"/discounts/{discount_id}")).status_code == 204
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


@pytest.mark.parametrize("default", ["USD", "EUR", None])
async def test_a_limit_without_a_row_for_the_currency_is_converted_or_the_code_refused(
    shop: Shop, default: str | None
) -> None:
    """Half off, at most 50.00 and from 200.00 on, in dollars and in euros; the buyer pays in yen at 149.37."""
    await shop.settings(adaptive_pricing="on")
    rows = [
        {
            "currency": currency,
            "max_amount_possible": 5000,
            "minimum_subtotal": 20_000,
            "is_default": currency == default,
        }
        for currency in ("USD", "EUR")
    ]
    code = await shop.percentage("HALF", 5000, currency_options=rows, usage_limit=9)
    dear, cheap = await shop.product(100_000), await shop.product(19_999)
    for country, cap in (("US", 5000), ("DE", 5000)):
        assert (await shop.buy(item(dear), country=country, discount_code="HALF")).explanation["discount"] == cap
    if default is None:
        refused = await shop.refusal(item(dear), country="JP", discount_code="HALF")
        assert refused == (
            422,
            "DISCOUNT_CURRENCY_OPTION_INVALID",
            "discount_code: The discount has no currency option for JPY, and no default one",
        )
        assert await shop.uses(code) == (0, 2)
        return
    bought = await shop.buy(item(dear), country="JP", discount_code="HALF")
    # 50 dollars are 7,468.5 yen, 50 euros 8,117.9.
    assert bought.explanation["discount"] == {"USD": 7469, "EUR": 8118}[default]
    refused = await shop.refusal(item(cheap), country="JP", discount_code="HALF")
    assert refused[1] == "DISCOUNT_MINIMUM_SUBTOTAL_NOT_MET"


async def test_a_currency_that_is_changed_to_needs_its_row_as_well(shop: Shop) -> None:
    """An open payment keeps its code, and not beyond the currencies that its limits are known for."""
    await shop.settings(adaptive_pricing="on")
    rows = [{"currency": currency, "max_amount_possible": 5000} for currency in ("USD", "EUR")]
    await shop.percentage("HALF", 5000, currency_options=rows)
    order = order_request(item(await shop.product(100_000)), payment_link=True, discount_code="HALF")
    created = await shop.create(order)
    for country, allowed in (("US", True), ("JP", False)):
        change = PaymentChange(billing=Address(country))
        if allowed:
            changed = await reprice_payment(shop.runtime, shop.merchant.tenant, created["payment_id"], change)
            assert (changed.currency, changed.discount) == ("USD", 5000)
            continue
        with pytest.raises(Problem) as refused:
            await reprice_payment(shop.runtime, shop.merchant.tenant, created["payment_id"], change)
        assert refused.value.code == "DISCOUNT_CURRENCY_OPTION_INVALID"


async def test_a_minimum_alone_is_a_limit_too(shop: Shop) -> None:
    await shop.settings(adaptive_pricing="on")
    rows = [{"currency": currency, "minimum_subtotal": 20_000} for currency in ("USD", "EUR")]
    await shop.percentage("LARGE", 1000, currency_options=rows)
    cheap = await shop.product(5000)
    assert (await shop.refusal(item(cheap), country="DE", discount_code="LARGE"))[1] == (
        "DISCOUNT_MINIMUM_SUBTOTAL_NOT_MET"
    )
    assert (await shop.refusal(item(cheap), country="JP", discount_code="LARGE"))[1] == (
        "DISCOUNT_CURRENCY_OPTION_INVALID"
    )


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
    by_id: dict[str, Any] = {"customer": {"customer_id": ana}}
    by_mail: dict[str, Any] = {"customer": {"email": "ANA@example.com"}}
    await shop.create(order_request(item(product), **by_id))  # is not paid
    for who in (by_id, by_mail, {"customer": {"email": "new@example.com"}}):
        assert (await shop.refusal(item(product), discount_code="LOYAL", **who))[:2] == (
            422,
            "DISCOUNT_CUSTOMER_NOT_ELIGIBLE",
        )
    await shop.purchase(product, discount_code="WELCOME", **by_mail)
    for who in (by_id, by_mail):
        refused = await shop.refusal(item(product), discount_code="WELCOME", **who)
        assert refused[1] == "DISCOUNT_CUSTOMER_NOT_ELIGIBLE"
        assert (await shop.buy(item(product), discount_code="LOYAL", **who)).created["total_amount"] == 1600
    new: dict[str, Any] = {"customer": {"email": "kim@example.com"}}
    assert (await shop.buy(item(product), discount_code="WELCOME", **new)).created["total_amount"] == 1800
    await shop.create(order_request(item(free), **new))  # costs nothing, and is a purchase
    assert (await shop.refusal(item(product), discount_code="WELCOME", **new))[1] == "DISCOUNT_CUSTOMER_NOT_ELIGIBLE"
    assert (await shop.buy(item(product), discount_code="LOYAL", **new)).created["total_amount"] == 1600


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
    ana: dict[str, Any] = {"customer": {"email": "ana@example.com"}}
    kim: dict[str, Any] = {"customer": {"email": "kim@example.com"}}
    await shop.purchase(product, discount_code="TWICE", **ana)
    older = await shop.buy(item(product), discount_code="TWICE", **ana)
    await shop.buy(item(product), discount_code="TWICE", **ana)  # takes it over
    assert (await shop.read(f"/payments/{older.created['payment_id']}"))["total_amount"] == 2000
    await shop.buy(item(product), discount_code="TWICE", **kim)
    assert await shop.uses(discount_id) == (1, 2)
    clock.advance(days=1)
    await sweep(runtime)
    assert await shop.uses(discount_id) == (1, 0)
    await shop.purchase(product, discount_code="TWICE", **ana)
    refused = await shop.refusal(item(product), discount_code="TWICE", **ana)
    assert refused[:2] == (422, "DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED")
