"""What a currency, its minimum and the connected processor can hold is known when a price is made."""

import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from nicobar.reference import currencies
from nicobar.reference.charge_steps import charge_step
from nicobar.reference.stripe import to_stripe
from nicobar.storage.accounts.processor_accounts import set_account
from shop import EXAMPLE_RATES, Shop, item, told

BELOW = "TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT"


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.rates(EXAMPLE_RATES | {"IDR": "16250", "VND": "25000", "AED": "3.6725"})
    return shop


# --- a currency that cannot hold the total ---------------------------------------------------------------------------


async def test_a_currency_of_the_country_that_is_too_small_gives_way_to_the_products(shop: Shop) -> None:
    """1,500 dollars are 24,375,000 rupiah: 2,437,500,000 of its minor units, more than 32 bits hold."""
    await shop.settings(adaptive_pricing="on")
    product = await shop.product(150_000)
    assert told(await shop.buy(item(product), country="ID")) == ("USD", 150_000)
    assert told(await shop.buy(item(product), country="VN")) == ("VND", 37_500_000)
    refused = await shop.refusal(item(product), country="ID", billing_currency="IDR")
    assert refused == (422, "INTEGER_CONVERSION_FAILURE", "Integer Conversion Failure: 2437500000 is above 2147483647")


async def test_a_minimum_of_the_country_gives_way_to_the_products(shop: Shop) -> None:
    """50 cents are 1.84 dirhams, and 2 are the least."""
    await shop.settings(adaptive_pricing="on")
    product = await shop.product(50)
    assert told(await shop.buy(item(product), country="AE")) == ("USD", 50)
    assert (await shop.refusal(item(product), country="AE", billing_currency="AED"))[1] == BELOW


async def test_a_cart_too_large_for_its_own_currency_is_refused(shop: Shop) -> None:
    await shop.settings(adaptive_pricing="on")
    product = await shop.product(2_000_000_000)
    assert (await shop.refusal(item(product, 2), country="ID"))[1] == "INTEGER_CONVERSION_FAILURE"


# --- positive is not free --------------------------------------------------------------------------------------------


async def test_a_price_that_rounds_to_nothing_is_below_the_minimum(shop: Shop) -> None:
    """100 dong are 0.4 cents."""
    await shop.settings(adaptive_pricing="on")
    dong = await shop.product(100, "VND")
    refused = await shop.refusal(item(dong), billing_currency="USD")
    assert refused == (422, BELOW, "Minimum amount of $0.50 is required to process payment")
    refused = await shop.refusal(item(dong), country="US")
    assert refused == (422, BELOW, "Minimum amount of VND 12000 is required to process payment")


async def test_a_code_that_leaves_a_fraction_is_not_free(shop: Shop) -> None:
    product = await shop.product(1000)
    await shop.percentage("NEARLY", 9_999)
    await shop.percentage("ALL", 10_000)
    assert (await shop.refusal(item(product), discount_code="NEARLY"))[1] == BELOW
    assert told(await shop.buy(item(product), discount_code="ALL")) == ("USD", 0)


async def test_a_free_product_is_free_in_every_currency(shop: Shop) -> None:
    await shop.settings(adaptive_pricing="on")
    product = await shop.product(0)
    for country, currency in (("VN", "VND"), ("US", "USD"), ("JP", "JPY")):
        bought = await shop.buy(item(product), country=country)
        assert (told(bought), bought.payment["status"]) == ((currency, 0), "succeeded")


# --- what the processor can charge -----------------------------------------------------------------------------------


async def _connect(shop: Shop) -> None:
    """Store an account at Stripe; it is never asked for anything."""
    async with shop.runtime.database.statement() as tx:
        await set_account(
            tx, shop.merchant.tenant, "stripe", "acct_x", None, "pk_test_x", None, bytes(38), shop.clock.now()
        )
    shop.clock.advance(seconds=5)


async def test_three_decimals_that_the_processor_does_not_take_are_refused_at_creation(shop: Shop) -> None:
    await shop.settings(currencies="dodo,KWD")
    odd, round_price = await shop.product(3071, "KWD"), await shop.product(3070, "KWD")
    assert told(await shop.buy(item(odd), country="KW")) == ("KWD", 3071)
    await _connect(shop)
    refused = await shop.refusal(item(odd), country="KW")
    assert refused == (
        422,
        "AMOUNT_NOT_CHARGEABLE",
        "The processor takes amounts in steps of KWD 0.010, and KWD 3.071 is none",
    )
    assert told(await shop.buy(item(round_price), country="KW")) == ("KWD", 3070)


async def test_a_code_that_leaves_such_an_amount_is_refused_and_takes_no_use(shop: Shop) -> None:
    await shop.settings(currencies="dodo,KWD")
    await _connect(shop)
    product, code = await shop.product(3070, "KWD"), await shop.percentage("FIFTH", 2_000, usage_limit=1)
    assert (await shop.refusal(item(product), country="KW", discount_code="FIFTH"))[1] == "AMOUNT_NOT_CHARGEABLE"
    assert await shop.uses(code) == (0, 0)
    assert (await shop.preview({"billing": {"country": "KW"}, "product_cart": [item(product)]})).status_code == 200
    preview = {"billing": {"country": "KW"}, "product_cart": [item(product)], "discount_code": "FIFTH"}
    assert (await shop.preview(preview)).json()["code"] == "AMOUNT_NOT_CHARGEABLE"


@pytest.mark.parametrize(("currency", "step"), [("KWD", 10), ("BHD", 10), ("UGX", 1), ("JPY", 1), ("USD", 1)])
def test_the_steps_of_stripe(currency: str, step: int) -> None:
    assert (charge_step("stripe", currency), charge_step("simulator", currency)) == (step, 1)
    assert to_stripe(1230 * step, currency) > 0


def test_every_amount_in_steps_is_one_that_stripe_takes() -> None:
    for row in currencies.ALL:
        step = charge_step("stripe", row.code)
        assert to_stripe(7 * step, row.code) * 3 == to_stripe(21 * step, row.code)
        assert row.minimum_minor % step == 0
