"""An open payment keeps what it was made from; only the taxes are those of the day of paying."""

from typing import Any

import pytest_asyncio
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.paying import revision
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from orders import attempts_of, card
from repricing import amounts, change, current, link
from shop import EXAMPLE_RATES, Shop, item


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.rates(EXAMPLE_RATES)
    return shop


async def test_an_archived_product_does_not_stop_an_open_payment(shop: Shop) -> None:
    await shop.settings(tax="table")
    product = await shop.product(2000)
    payment = await link(shop, item(product))
    await shop.client.delete(f"/products/{product}")
    assert amounts(await change(shop, payment, billing=Address("FR"))) == ("USD", 2000, 0, 400, 2400)
    await confirm_payment(shop.runtime, payment.tenant, payment.payment_id, card())
    assert (await current(shop, payment.payment_id)).status == "succeeded"


async def raise_price(shop: Shop, product: str, price: int, **more: Any) -> None:
    body = {"price": {"type": "one_time_price", "currency": "USD", "price": price} | more}
    response = await shop.client.patch(f"/products/{product}", json=body)
    assert response.status_code == 200, response.text


async def test_a_price_that_is_raised_later_does_not_reach_an_open_payment(shop: Shop) -> None:
    product = await shop.product(10_000)
    await shop.percentage("TEN", 1000)
    payment = await link(shop, item(product))
    await raise_price(shop, product, 20_000)
    assert amounts(await change(shop, payment, add_code="TEN")) == ("USD", 10_000, 1000, 0, 9000)
    assert amounts(await change(shop, payment, billing=Address("FR"))) == ("USD", 10_000, 1000, 0, 9000)
    assert amounts(await change(shop, payment, remove_code="TEN")) == ("USD", 10_000, 0, 0, 10_000)
    assert amounts(await link(shop, item(product))) == ("USD", 20_000, 0, 0, 20_000)


async def test_what_else_changes_in_the_shop_does_not_reach_an_open_payment(shop: Shop) -> None:
    """Product discount, parity, fees, charm pricing, the answer whether prices contain the tax, the rates."""
    await shop.settings(
        adaptive_pricing="on", purchasing_power="on", purchasing_power_table="IN=50,DE=100", tax="table"
    )
    product = await shop.product(10_000, purchasing_power_parity=True)
    payment = await link(shop, item(product), country="IN")
    assert amounts(payment) == ("INR", 416_000, 0, 74_880, 490_880)
    await raise_price(shop, product, 20_000, discount_bps=5000, tax_inclusive=True)
    await shop.settings(
        adaptive_fees="dodo", purchasing_power_table="IN=90", charm_pricing="nearest", default_tax_inclusive="true"
    )
    await shop.rates(EXAMPLE_RATES | {"INR": "99"})
    await shop.percentage("TEN", 1000)
    changed = await change(shop, payment, add_code="TEN")
    assert amounts(changed) == ("INR", 416_000, 41_600, 67_392, 441_792)
    assert amounts(await change(shop, payment, remove_code="TEN")) == amounts(payment)


async def test_a_code_keeps_the_terms_that_it_was_taken_with(shop: Shop) -> None:
    await shop.settings(adaptive_pricing="on")
    product = await shop.product(10_000)
    rows = [{"currency": "USD", "max_amount_possible": 1000, "is_default": True}]
    code = await shop.percentage("HALF", 5000, currency_options=rows)
    payment = await link(shop, item(product), country="US", discount_codes=["HALF"])
    assert amounts(payment) == ("USD", 10_000, 1000, 0, 9000)
    other = [{"currency": "USD", "max_amount_possible": 9000, "is_default": True}]
    changed = await shop.client.patch(f"/discounts/{code}", json={"amount": 9000, "currency_options": other})
    assert changed.status_code == 200
    assert amounts(await change(shop, payment, billing=Address("AF"))) == ("USD", 10_000, 1000, 0, 9000)
    assert amounts(await change(shop, payment, billing=Address("DE"))) == ("EUR", 9200, 920, 0, 8280)
    assert amounts(await change(shop, payment, billing=Address("US"))) == ("USD", 10_000, 1000, 0, 9000)


async def test_a_localized_price_stays_the_one_of_the_creation(shop: Shop) -> None:
    product = await shop.product(10_000, pricing_mode="by_country")
    await shop.localized_price(product, 9900, "USD", "DE")
    await shop.localized_price(product, 8800, "USD", "FR")
    payment = await link(shop, item(product))
    for market in (await shop.read(f"/products/{product}/localized-prices"))["items"]:
        path = f"/products/{product}/localized-prices/{market['id']}"
        assert (await shop.client.patch(path, json={"amount": 20_000})).status_code == 200
    assert amounts(await change(shop, payment, billing=Address("FR"))) == ("USD", 8800, 0, 0, 8800)
    assert amounts(await change(shop, payment, billing=Address("DE"))) == ("USD", 9900, 0, 0, 9900)
    assert amounts(await change(shop, payment, billing=Address("AT"))) == ("USD", 10_000, 0, 0, 10_000)


async def test_a_payment_from_before_products_were_kept_is_priced_again_by_its_lines(shop: Shop) -> None:
    await shop.settings(tax="table")
    product = await shop.product(10_000, discount_bps=1000)
    payment = await link(shop, item(product, 2))
    async with shop.runtime.database.statement() as tx:
        await tx.execute("UPDATE payments SET pricing = (pricing::jsonb - 'products' - 'tax_date')::json")
    await raise_price(shop, product, 20_000)
    assert amounts(await change(shop, payment, billing=Address("FR"))) == ("USD", 20_000, 2000, 3600, 21_600)


# --- the day of paying -----------------------------------------------------------------------------------------------

RISING = "country,name,standard_percent,valid_from,valid_to\nDE,VAT,19,,2026-03-15\nDE,VAT,21,2026-03-15,\n"


async def test_the_day_of_paying_decides_the_tax(shop: Shop, clock: FakeClock) -> None:
    """The form of one day shows the total again when it is sent on the next."""
    await shop.settings(tax="table")
    await shop.taxes(RISING)
    payment = await link(shop, item(await shop.product(10_000)))
    assert amounts(payment) == ("USD", 10_000, 0, 1900, 11_900)
    clock.advance(hours=12)
    ended = await confirm_payment(shop.runtime, payment.tenant, payment.payment_id, card(), revision(payment))
    shown = await current(shop, payment.payment_id)
    assert (ended.outcome, shown.status, amounts(shown)) == (
        None,
        "requires_payment_method",
        ("USD", 10_000, 0, 2100, 12_100),
    )
    assert await attempts_of(shop.runtime, payment) == []
    await confirm_payment(shop.runtime, payment.tenant, payment.payment_id, card(), revision(shown))
    assert [attempt["amount"] for attempt in await attempts_of(shop.runtime, payment)] == [12_100]
    assert (await shop.read(f"/payments/{payment.payment_id}/explain"))["recomputed"] is True


async def test_a_day_with_the_same_taxes_asks_nothing(shop: Shop, clock: FakeClock) -> None:
    await shop.settings(tax="table")
    payment = await link(shop, item(await shop.product(10_000)))
    clock.advance(hours=12)
    await confirm_payment(shop.runtime, payment.tenant, payment.payment_id, card(), revision(payment))
    assert (await current(shop, payment.payment_id)).status == "succeeded"


async def test_an_address_that_is_completed_on_another_day_brings_its_taxes(shop: Shop, clock: FakeClock) -> None:
    await shop.settings(tax="table")
    await shop.taxes(RISING)
    payment = await link(shop, item(await shop.product(10_000)))
    clock.advance(hours=12)
    completed = await change(shop, payment, billing=Address("DE", "Berlin", None, "Unter den Linden 1", "10117"))
    assert amounts(completed) == ("USD", 10_000, 0, 2100, 12_100)


async def test_without_taxes_a_day_changes_nothing(shop: Shop, clock: FakeClock) -> None:
    await shop.taxes(RISING)
    payment = await link(shop, item(await shop.product(10_000)))
    clock.advance(hours=12)
    await confirm_payment(shop.runtime, payment.tenant, payment.payment_id, card(), revision(payment))
    assert (await current(shop, payment.payment_id)).total_amount == 10_000
