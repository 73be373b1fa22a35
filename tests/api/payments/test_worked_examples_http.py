"""The worked examples of the contract's page on amounts, by their numbers there, through the HTTP API, to the unit.

Every order is previewed, created, read, listed by line and explained; `Shop.buy` holds the answers against each other.
Example 22 is about refunds.
"""

from typing import Any

import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from shop import EXAMPLE_RATES, Shop, item


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.rates(EXAMPLE_RATES)
    return shop


async def convert(shop: Shop, **settings: str) -> None:
    """Let customers pay in their own currency, with the hosted service's fees."""
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo", **settings)


def pairs(lines: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Return what the lines cost without tax, and their tax."""
    return [(line["amount"], line["tax"]) for line in lines]


async def test_01_plain(shop: Shop) -> None:
    bought = await shop.buy(item(await shop.product(2000), 2))
    assert bought.amounts == (4000, 0, 0, 4000)
    assert bought.settlement == (4000, 0, "USD")
    assert pairs(bought.lines) == [(4000, 0)]


async def test_02_product_discount(shop: Shop) -> None:
    bought = await shop.buy(item(await shop.product(1999, discount_bps=1250), 3))
    assert bought.amounts == (5997, 750, 0, 5247)
    assert bought.step("product_discount")["amount_after"] == "41979/8"  # 5247.375


async def test_03_both_forms_of_a_product_discount(shop: Shop) -> None:
    both = await shop.product(1000, discount=50, discount_bps=1000)
    third = await shop.product(333, discount_bps=3333)
    assert (await shop.buy(item(both))).amounts == (1000, 100, 0, 900)
    assert (await shop.buy(item(third, 3))).amounts == (999, 333, 0, 666)
    prices = [(await shop.read(f"/products/{product_id}"))["price"] for product_id in (both, third)]
    assert [(price["discount"], price["discount_bps"]) for price in prices] == [(10, 1000), (33, 3333)]


async def test_04_pay_what_you_want(shop: Shop) -> None:
    product = await shop.product(500, pay_what_you_want=True)
    await shop.percentage("TWENTY", 2000)
    bought = await shop.buy(item(product, amount=1200), discount_codes=["TWENTY"])
    assert bought.amounts == (1200, 240, 0, 960)
    refused = await shop.refusal(item(product, amount=499), discount_codes=["TWENTY"])
    assert refused[:2] == (422, "REQUEST_AMOUNT_BELOW_MINIMUM")
    assert (await shop.refusal(item(product)))[:2] == (422, "PAY_AS_YOU_WANT_AMOUNT_REQUIRED")


async def test_05_purchasing_power_parity(shop: Shop) -> None:
    await convert(shop, purchasing_power="on", purchasing_power_table="IN=30")
    product = await shop.product(10_000, purchasing_power_parity=True)
    dollars = await shop.buy(item(product), country="IN", billing_currency="USD")
    assert dollars.amounts == (3000, 0, 0, 3000)
    inclusive = await shop.buy(item(product), country="IN", adaptive_currency_fees_inclusive=True)
    assert (inclusive.payment["currency"], inclusive.amounts) == ("INR", (249_600, 0, 0, 249_600))
    assert inclusive.settlement == (3000 - 120, 0, "USD")
    exclusive = await shop.buy(item(product), country="IN")
    assert exclusive.amounts == (259_584, 0, 0, 259_584)
    assert exclusive.settlement == (3000, 0, "USD")
    assert [step["what"] for step in exclusive.explanation["steps"]] == [
        "list_price",
        "purchasing_power",
        "conversion",
        "conversion_fee",
        "subtotal",
        "rounding",
        "tax",
        "total",
        "settlement",
    ]


async def test_06_exclusive_tax(shop: Shop) -> None:
    await shop.settings(tax="table")
    bought = await shop.buy(item(await shop.product(5000, "EUR")))
    assert bought.amounts == (5000, 0, 950, 5950)
    assert bought.settlement == (5950, 950, "EUR")
    assert pairs(bought.lines) == [(5000, 950)]


async def test_07_inclusive_tax(shop: Shop) -> None:
    await shop.settings(tax="table")
    product = await shop.product(2400, "GBP", tax_inclusive=True)
    plain = await shop.buy(item(product), country="GB")
    assert plain.amounts == (2000, 0, 400, 2400)
    await shop.percentage("FIFTEEN", 1500)
    lowered = await shop.buy(item(product), country="GB", discount_code="fifteen")
    assert lowered.amounts == (2000, 300, 340, 2040)
    assert pairs(lowered.lines) == [(1700, 340)]


async def test_08_reverse_charge(shop: Shop) -> None:
    await shop.settings(tax="table", seller_country="FR")
    exclusive = await shop.product(5000, "EUR")
    german = await shop.buy(item(exclusive), tax_id="DE136695976")
    assert german.amounts == (5000, 0, 0, 5000)
    assert "reverse charge" in german.step("tax")["source"]
    italian = await shop.buy(item(exclusive), country="IT", tax_id="IT00743110157")
    assert italian.amounts == (5000, 0, 0, 5000)
    inclusive = await shop.product(2400, "GBP", tax_inclusive=True)
    british = await shop.buy(item(inclusive), country="GB", tax_id="GB980780684")
    assert british.amounts == (2400, 0, 0, 2400)


async def test_09_percentages_follow_each_other(shop: Shop) -> None:
    await shop.percentage("TEN", 1000)
    await shop.percentage("TWENTY", 2000)
    bought = await shop.buy(item(await shop.product(10_000)), discount_codes=["TEN", "TWENTY"])
    assert bought.amounts == (10_000, 2800, 0, 7200)
    steps = [step for step in bought.explanation["steps"] if step["what"] == "code"]
    assert [(step["contribution"], step["amount_after"]) for step in steps] == [(-1000, "9000"), (-1800, "7200")]


async def test_10_cap(shop: Shop) -> None:
    cap = [{"currency": "USD", "max_amount_possible": 10_000}]
    await shop.percentage("HALF", 5000, currency_options=cap)
    bought = await shop.buy(item(await shop.product(30_000)), discount_codes=["HALF"])
    assert bought.amounts == (30_000, 10_000, 0, 20_000)


async def test_11_order_of_codes_matters(shop: Shop) -> None:
    await shop.flat("FLAT", 2000)
    await shop.percentage("TEN", 1000)
    cart = item(await shop.product(10_000))
    assert (await shop.buy(cart, discount_codes=["FLAT", "TEN"])).amounts == (10_000, 2800, 0, 7200)
    assert (await shop.buy(cart, discount_codes=["TEN", "FLAT"])).amounts == (10_000, 3000, 0, 7000)


async def test_12_flat_pool(shop: Shop) -> None:
    await shop.flat("F1500", 1500)
    await shop.flat("F1000", 1000)
    seven, three = await shop.product(7000), await shop.product(3000)
    two = await shop.buy(item(seven), item(three), discount_codes=["F1500"])
    assert two.amounts == (10_000, 1500, 0, 8500)
    assert [two.step("code", line)["contribution"] for line in (0, 1)] == [-1050, -450]
    assert pairs(two.lines) == [(5950, 0), (2550, 0)]
    thirds = [item(await shop.product(price)) for price in (3333, 3333, 3334)]
    shared = await shop.buy(*thirds, discount_codes=["F1000"])
    assert shared.amounts == (10_000, 1000, 0, 9000)
    assert [shared.step("code", line)["contribution"] for line in (0, 1, 2)] == [-333, -333, -334]


async def test_13_restricted_code_with_two_tax_rates(shop: Shop) -> None:
    await shop.settings(tax="table")
    first = await shop.product(4990, "EUR")
    book = await shop.product(1550, "EUR", tax_category="e_book")
    await shop.percentage("QUARTER", 2500, restricted_to=[first])
    bought = await shop.buy(item(first, 2), item(book), discount_codes=["QUARTER"])
    assert bought.amounts == (11_530, 2495, 1531, 10_566)
    assert pairs(bought.lines) == [(7485, 1422), (1550, 109)]


async def test_14_minimum_subtotal_counts_the_list_price(shop: Shop) -> None:
    row = [{"currency": "USD", "minimum_subtotal": 5000}]
    await shop.percentage("TEN", 1000, currency_options=row)
    bought = await shop.buy(item(await shop.product(6000, discount_bps=5000)), discount_codes=["TEN"])
    assert bought.amounts == (6000, 3300, 0, 2700)
    smaller = await shop.refusal(item(await shop.product(4999)), discount_codes=["TEN"])
    assert smaller[:2] == (422, "DISCOUNT_MINIMUM_SUBTOTAL_NOT_MET")


@pytest.mark.parametrize(
    ("price", "country", "inclusive", "total", "settlement"),
    [
        (10_000, "CA", False, 14_248, 10_000),
        (10_000, "CA", True, 13_700, 9600),
        (50_000, "DE", False, 47_380, 50_000),
        (49_999, "DE", False, 47_839, 49_999),
        (150_000, "DE", False, 142_140, 150_000),
        (200_000, "DE", False, 187_680, 200_000),
    ],
)
async def test_15_conversion_and_fee_tiers(
    shop: Shop, price: int, country: str, inclusive: bool, total: int, settlement: int
) -> None:
    await convert(shop, fees_inclusive=str(inclusive))
    bought = await shop.buy(item(await shop.product(price)), country=country)
    assert bought.amounts == (total, 0, 0, total)
    assert bought.settlement == (settlement, 0, "USD")


async def test_16_currencies_with_no_and_three_decimals(shop: Shop) -> None:
    await convert(shop)
    product = await shop.product(999)
    yen = await shop.buy(item(product), country="JP")
    assert (yen.payment["currency"], yen.amounts) == ("JPY", (1552, 0, 0, 1552))
    refused = await shop.refusal(item(product), country="KW", billing_currency="KWD")
    assert refused[:2] == (422, "UNSUPPORTED_CURRENCY")
    await shop.settings(currencies="dodo,KWD", adaptive_fees="none")
    fils = await shop.buy(item(product), country="KW", billing_currency="KWD")
    assert (fils.payment["currency"], fils.amounts) == ("KWD", (3068, 0, 0, 3068))
    assert fils.step("conversion")["amount_after"] == "3067929/1000"


async def test_17_charm_pricing(shop: Shop) -> None:
    await convert(shop, charm_pricing="nearest")
    bought = await shop.buy(item(await shop.product(4000)), country="GB")
    assert (bought.payment["currency"], bought.amounts) == ("GBP", (2999, 0, 0, 2999))
    # 29.99 pounds are 37.96 dollars, of which the merchant bears 4 %.
    assert bought.settlement == (3796 - 152, 0, "USD")


async def test_18_everything(shop: Shop) -> None:
    await convert(shop, tax="table")
    first, second = await shop.product(4900, discount_bps=1000), await shop.product(1500)
    await shop.percentage("TWENTY", 2000, restricted_to=[first])
    await shop.flat("FIVE", 500, "EUR")
    cart, codes = (item(first, 2), item(second)), ["TWENTY", "FIVE"]
    bought = await shop.buy(*cart, discount_codes=codes)
    assert (bought.payment["currency"], bought.amounts) == ("EUR", (10_812, 3126, 1460, 9146))
    assert bought.settlement == (9559, 1526, "USD")
    assert pairs(bought.lines) == [(6339, 1204), (1347, 256)]
    assert bought.step("subtotal", 0)["amount_after"] == "234416/25"  # 9376.64
    assert bought.step("product_discount", 0)["amount_after"] == "1054872/125"  # 8438.976
    assert bought.step("code", 1)["contribution"] == -88
    inclusive = await shop.buy(*cart, discount_codes=codes, adaptive_currency_fees_inclusive=True)
    assert inclusive.created["total_amount"] == 8772
    assert inclusive.settlement == (9154, 1522, "USD")


async def test_19_a_full_discount_is_free(shop: Shop) -> None:
    await shop.settings(tax="table")
    discount_id = await shop.percentage("FREE", 10_000)
    bought = await shop.buy(item(await shop.product(4200, "EUR")), discount_codes=["FREE"])
    assert bought.amounts == (4200, 4200, 0, 0)
    assert bought.payment["status"] == "succeeded"
    assert await shop.uses(discount_id) == (1, 0)


async def test_20_a_flat_code_never_goes_below_zero(shop: Shop) -> None:
    await shop.flat("BIG", 1500)
    bought = await shop.buy(item(await shop.product(900)), discount_codes=["BIG"])
    assert bought.amounts == (900, 900, 0, 0)
    assert bought.payment["status"] == "succeeded"


async def test_21_below_the_minimum_charge(shop: Shop) -> None:
    assert await shop.refusal(item(await shop.product(40))) == (
        422,
        "TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT",
        "Minimum amount of $0.50 is required to process payment",
    )
