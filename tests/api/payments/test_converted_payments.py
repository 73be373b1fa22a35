"""Payments in the customer's own currency: which one, at which rate, for which fee; and amounts at their limits."""

import sys

import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.core.money.money import INT32_MAX
from nicobar.flows.runtime import Runtime
from nicobar.reference.rate_seed import seed
from shop import EXAMPLE_RATES, Shop, item, order_request, told

LOAD_POLICY = sys.modules["nicobar.flows.business.load_policy"]


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.rates(EXAMPLE_RATES)
    return shop


# --- which currency --------------------------------------------------------------------------------------------------


async def test_off_by_default(shop: Shop) -> None:
    """Without adaptive pricing everyone pays in the product's currency; another wish is discarded."""
    product = await shop.product(2000)
    for fields in ({}, {"billing_currency": "EUR"}, {"billing_currency": "BGN"}, {"billing_currency": "USD"}):
        bought = await shop.buy(item(product), country="IN", adaptive_currency_fees_inclusive=False, **fields)
        assert (told(bought), bought.settlement) == (("USD", 2000), (2000, 0, "USD"))
        assert [step["what"] for step in bought.explanation["steps"]][-1] == "total"


@pytest.mark.parametrize(
    ("country", "currency", "total"),
    [
        ("DE", "EUR", 1840),
        ("ME", "EUR", 1840),
        ("GB", "GBP", 1580),
        ("IN", "INR", 166_400),
        ("JP", "JPY", 2987),
        ("US", "USD", 2000),
        ("AF", "USD", 2000),
        ("KW", "USD", 2000),
    ],
)
async def test_the_currency_of_the_country(shop: Shop, country: str, currency: str, total: int) -> None:
    await shop.settings(adaptive_pricing="on")
    bought = await shop.buy(item(await shop.product(2000)), country=country)
    assert (told(bought), bought.settlement) == ((currency, total), (2000, 0, "USD"))


async def test_a_country_without_a_currency_of_its_own_pays_the_products(shop: Shop) -> None:
    await shop.settings(adaptive_pricing="on")
    assert told(await shop.buy(item(await shop.product(2000, "EUR")), country="AF")) == ("EUR", 2000)


async def test_a_wish_is_granted_or_refused(shop: Shop) -> None:
    await shop.settings(adaptive_pricing="on")
    product = await shop.product(2000)
    bought = await shop.buy(item(product), country="DE", billing_currency="JPY")
    assert told(bought) == ("JPY", 2987)
    refused = await shop.refusal(item(product), billing_currency="KWD")
    assert refused == (422, "UNSUPPORTED_CURRENCY", "billing_currency: Currency Not Supported: KWD")
    await shop.settings(currencies="USD,INR")
    assert told(await shop.buy(item(product), country="DE")) == ("USD", 2000)
    assert told(await shop.buy(item(product), country="IN")) == ("INR", 166_400)
    assert (await shop.refusal(item(product), billing_currency="EUR"))[1] == "UNSUPPORTED_CURRENCY"


async def test_a_product_in_a_currency_that_is_not_charged(shop: Shop) -> None:
    dinars = await shop.product(3071, "KWD")
    refused = await shop.refusal(item(dinars), country="KW")
    assert refused == (422, "UNSUPPORTED_CURRENCY", "product_cart: Currency Not Supported: KWD")
    await shop.settings(adaptive_pricing="on")
    bought = await shop.buy(item(dinars), country="DE")
    assert (told(bought), bought.settlement) == (("EUR", 920), (3071, 0, "KWD"))
    await shop.settings(adaptive_pricing="off", currencies="dodo,KWD")
    assert told(await shop.buy(item(dinars), country="KW")) == ("KWD", 3071)


async def test_a_cart_of_several_currencies(shop: Shop) -> None:
    dollars, euros, yen = await shop.product(1000), await shop.product(920, "EUR"), await shop.product(14_937, "JPY")
    refused = await shop.refusal(item(dollars), item(euros))
    assert refused[:2] == (422, "UNSUPPORTED_CURRENCY")
    await shop.settings(adaptive_pricing="on")
    bought = await shop.buy(item(dollars), item(euros), item(yen), country="DE")
    assert (told(bought), bought.settlement) == (("EUR", 920 + 920 + 9200), (12_000, 0, "USD"))
    assert [line["refundable_amount"] for line in bought.lines] == [920, 920, 9200]
    assert [line["refundable_amount"] for line in bought.settled] == [1000, 1000, 10_000]
    await shop.settings(default_currency="JPY")
    assert (await shop.buy(item(dollars), item(euros), country="US")).settlement == (2987, 0, "JPY")


async def test_a_cart_of_several_currencies_pays_the_fee_only_where_it_converts(shop: Shop) -> None:
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo")
    dollars, euros = await shop.product(10_000), await shop.product(9200, "EUR")
    on_top = await shop.buy(item(dollars), item(euros), country="DE")
    assert [line["amount"] for line in on_top.lines] == [9568, 9200]
    assert on_top.settlement == (20_000, 0, "USD")
    within = await shop.buy(item(dollars), item(euros), country="DE", adaptive_currency_fees_inclusive=True)
    assert [line["amount"] for line in within.lines] == [9200, 9200]
    assert within.settlement == (19_600, 0, "USD")


# --- the fee ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "fee_bps"),
    [(49_999, 400), (50_000, 300), (150_000, 300), (150_001, 200)],
)
@pytest.mark.parametrize("country", ["DE", "JP"])
async def test_the_tiers_at_their_edges(shop: Shop, price: int, fee_bps: int, country: str) -> None:
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo")
    bought = await shop.buy(item(await shop.product(price)), country=country)
    step = bought.step("conversion_fee")
    assert step["rule"] == f"conversion fee {fee_bps // 100} % on top"
    assert bought.settlement == (price, 0, "USD")


async def test_the_tier_counts_what_is_paid_with_tax_and_after_codes(shop: Shop) -> None:
    """420.17 dollars and 19 % are 500.00; 1.00 less is not."""
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo", tax="table")
    product = await shop.product(42_017)
    await shop.flat("LESS", 100, "EUR")
    assert (await shop.buy(item(product))).step("conversion_fee")["rule"] == "conversion fee 3 % on top"
    lowered = await shop.buy(item(product), discount_code="LESS")
    assert lowered.step("conversion_fee")["rule"] == "conversion fee 4 % on top"


async def test_who_bears_the_fee(shop: Shop) -> None:
    """The setting decides, and the request decides over the setting."""
    product = await shop.product(10_000)
    on_top, within = (("EUR", 9568), (10_000, 0, "USD")), (("EUR", 9200), (9600, 0, "USD"))
    for setting, wish, expected in (
        ("false", None, on_top),
        ("false", True, within),
        ("true", None, within),
        ("true", False, on_top),
    ):
        await shop.settings(adaptive_pricing="on", adaptive_fees="dodo", fees_inclusive=setting)
        bought = await shop.buy(item(product), adaptive_currency_fees_inclusive=wish)
        assert (told(bought), bought.settlement) == expected


async def test_no_fee_without_a_conversion(shop: Shop) -> None:
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo")
    rupees = await shop.product(10_000, "INR")
    for inclusive in (True, False):
        bought = await shop.buy(item(rupees), country="IN", adaptive_currency_fees_inclusive=inclusive)
        assert (told(bought), bought.settlement) == (("INR", 10_000), (10_000, 0, "INR"))


async def test_tax_on_a_converted_price(shop: Shop) -> None:
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo", tax="table")
    bought = await shop.buy(item(await shop.product(10_000)))
    assert (bought.amounts, bought.settlement) == ((9568, 0, 1818, 11_386), (11_900, 1900, "USD"))
    within = await shop.buy(item(await shop.product(11_900, tax_inclusive=True)))
    assert (within.amounts, within.settlement) == ((9568, 0, 1818, 11_386), (11_900, 1900, "USD"))


async def test_a_localized_price_is_paid_as_it_stands(shop: Shop) -> None:
    """Neither rate nor fee nor parity touch it; the merchant bears the fee of the whole cart."""
    await shop.settings(
        adaptive_pricing="on", adaptive_fees="dodo", purchasing_power="on", purchasing_power_table="IN=30"
    )
    local = await shop.product(10_000, pricing_mode="by_country", purchasing_power_parity=True)
    await shop.localized_price(local, 499_900, "INR", "IN")
    other = await shop.product(1000)
    bought = await shop.buy(item(local), item(other), country="IN")
    assert [line["amount"] for line in bought.lines] == [499_900, 83_200]
    assert bought.step("list_price")["source"].startswith("localized price of product ")
    # 583,100 paise are 7008.41 dollar cents, of which 4 % are 280.
    assert bought.settlement == (7008 - 280, 0, "USD")
    assert told(await shop.buy(item(local), country="DE")) == ("EUR", 9568)


# --- rates -----------------------------------------------------------------------------------------------------------


async def test_the_rate_is_kept_with_its_source_and_day(shop: Shop, runtime: Runtime) -> None:
    await shop.settings(adaptive_pricing="on")
    product = await shop.product(10_000)
    bought = await shop.buy(item(product))
    assert bought.step("conversion")["source"] == "example, 2026-03-14"
    async with runtime.database.read() as read:
        query = "SELECT pricing FROM payments WHERE payment_id = $1"
        stored = (await read.fetchval(query, bought.created["payment_id"]))["charge"]["settlement"]
    assert (stored["rate"], stored["as_of"], stored["source"]) == ("0.92", "2026-03-14", "example")
    rupees = await shop.buy(item(await shop.product(10_000, "GBP")), country="IN")
    assert rupees.step("conversion")["rule"] == "rate GBP->INR about 105.3164557"
    assert rupees.created["total_amount"] == 1_053_165


async def test_a_new_rate_is_in_force_within_five_seconds(shop: Shop, clock: FakeClock) -> None:
    await shop.settings(adaptive_pricing="on")
    product = await shop.product(10_000)
    assert told(await shop.buy(item(product))) == ("EUR", 9200)
    clock.advance(days=1)
    await shop.rates({"EUR": "0.93456789"})
    bought = await shop.buy(item(product))
    assert (told(bought), bought.step("conversion")["source"]) == (("EUR", 9346), "example, 2026-03-15")


async def test_rates_of_many_digits(shop: Shop) -> None:
    """Products of two such rates need more than 64 bits; the stored ones give the same amounts again."""
    digits = {"IDR": "16712.1234567890123456", "VND": "26312.98765432101234567", "KRW": "1449.12345678901234567"}
    await shop.rates(digits)
    await shop.settings(adaptive_pricing="on", adaptive_fees="dodo", tax="table")
    bought = await shop.buy(item(await shop.product(12_345_678, "IDR")), country="VN")
    # 123,456.78 rupiah x 26312.98.. / 16712.12.. x 1.04 = 202,156.08.. dong, and 10 % of tax.
    assert (told(bought), bought.settlement) == (("VND", 202_156 + 20_216), (13_580_265, 1_234_592, "IDR"))


async def test_a_currency_without_a_rate(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = seed()
    rest = {code: rate for code, rate in plain.rates.items() if code != "CHF"}
    monkeypatch.setattr(LOAD_POLICY, "seed", lambda: plain._replace(rates=rest))
    await shop.rates({"EUR": "0.92", "CAD": "1.38"})  # so that the rates are read again
    product, francs = await shop.product(2000), await shop.product(2000, "CHF")
    assert told(await shop.buy(item(francs), country="CH")) == ("CHF", 2000)
    await shop.settings(adaptive_pricing="on")
    refused = await shop.refusal(item(product), country="CH")
    message = "Exchange rate not found to convert from USD to CHF"
    assert refused == (422, "EXCHANGE_RATE_NOT_FOUND", message)
    preview = await shop.preview(order_request(item(product), country="CH"))
    assert (preview.status_code, preview.json()) == (422, {"code": "EXCHANGE_RATE_NOT_FOUND", "message": message})
    assert (await shop.refusal(item(francs), country="DE"))[1] == "EXCHANGE_RATE_NOT_FOUND"
    assert told(await shop.buy(item(product), country="DE")) == ("EUR", 1840)
    assert told(await shop.buy(item(francs), country="CH")) == ("CHF", 2000)
    await shop.rates({"CHF": "0.8"})
    assert told(await shop.buy(item(product), country="CH")) == ("CHF", 1600)


@pytest.mark.parametrize(
    ("currency", "total"),
    [
        ("BHD", 37_600),  # 0.376
        ("BIF", 299_906),  # 2999.055995
        ("CLP", 96_773),  # 967.734681
        ("UGX", 391_467),  # 3914.668234
        ("IDR", 181_482_009),  # 18148.200859
        ("XOF", 60_348),  # 655.957 for one euro by law, and the example's 0.92 euros for a dollar
    ],
)
async def test_currencies_that_no_feed_brought_have_the_shipped_rate(shop: Shop, currency: str, total: int) -> None:
    await shop.settings(adaptive_pricing="on", currencies="dodo,BHD,BIF,UGX")
    assert told(await shop.buy(item(await shop.product(10_000)), billing_currency=currency)) == (currency, total)


# --- limits ----------------------------------------------------------------------------------------------------------


async def test_amounts_beyond_32_bits_are_refused(shop: Shop) -> None:
    largest = await shop.product(INT32_MAX)
    assert (await shop.buy(item(largest))).amounts == (INT32_MAX, 0, 0, INT32_MAX)
    gift = await shop.product(0, pay_what_you_want=True)
    for cart in ([item(largest, 2)], [item(largest), item(await shop.product(1))], [item(gift, 10_000, INT32_MAX)]):
        refused = await shop.refusal(*cart)
        assert refused[:2] == (422, "INTEGER_CONVERSION_FAILURE")
    assert refused[2] == f"Integer Conversion Failure: {INT32_MAX * 10_000} is above {INT32_MAX}"


async def test_tax_rate_and_fee_can_be_what_is_too_much(shop: Shop) -> None:
    await shop.settings(tax="table", adaptive_pricing="on", adaptive_fees="dodo")
    largest = await shop.product(INT32_MAX)
    million = await shop.product(100_000_000)
    assert (await shop.refusal(item(largest), country="DE", billing_currency="USD"))[1] == "INTEGER_CONVERSION_FAILURE"
    assert told(await shop.buy(item(million), country="IN")) == ("USD", 118_000_000)
    wish = {"country": "IN", "billing_currency": "INR"}
    assert (await shop.refusal(item(million), **wish))[1] == "INTEGER_CONVERSION_FAILURE"
    edge, beyond = await shop.product(21_444_916), await shop.product(21_444_917)  # x 83.20 x 1.02 x 1.18
    assert (await shop.buy(item(edge), country="IN")).created["total_amount"] == 2_147_483_594
    refused = await shop.refusal(item(beyond), **wish)
    assert refused[2] == f"Integer Conversion Failure: 2147483694 is above {INT32_MAX}"
    # What settles can be too much as well: 21,474,836.47 dollars are more rupees than fit.
    await shop.settings(default_currency="INR", tax="off")
    euros = await shop.product(100, "EUR")
    refused = await shop.refusal(item(largest, 1), item(euros, 0), country="US")
    assert refused[1] == "INTEGER_CONVERSION_FAILURE"


async def test_a_subtotal_beyond_32_bits_is_refused_although_the_total_would_fit(shop: Shop) -> None:
    await shop.percentage("MOST", 9999)
    refused = await shop.refusal(item(await shop.product(INT32_MAX), 2), discount_code="MOST")
    assert refused[1] == "INTEGER_CONVERSION_FAILURE"


async def test_a_hundred_lines_at_the_maximum(shop: Shop) -> None:
    await shop.settings(tax="table", adaptive_pricing="on", adaptive_fees="dodo")
    share = INT32_MAX // 100
    products = [await shop.product(share, discount_bps=index) for index in range(10)]
    codes = [f"CODE{number}" for number in range(20)]
    for number, code in enumerate(codes):
        if number % 2:
            await shop.percentage(code, 100 + number)
        else:
            await shop.flat(code, 1000 + number, restricted_to=products[: number % 9 + 1])
    cart = [item(products[index % 10]) for index in range(100)]
    bought = await shop.buy(*cart, country="US", billing_currency="USD", discount_codes=codes)
    assert bought.explanation["subtotal"] == share * 100
    assert len(bought.lines) == 100
    await shop.settings(tax="off")
    converted = await shop.buy(*cart, country="DE", discount_codes=codes)
    assert converted.payment["currency"] == "EUR"
    over = [item(products[0], 2), *cart[1:]]
    assert (await shop.refusal(*over, country="US", discount_codes=codes))[1] == "INTEGER_CONVERSION_FAILURE"
    assert (await shop.refusal(*cart, item(products[0])))[1] == "INVALID_REQUEST_BODY"


@pytest.mark.parametrize(
    ("currency", "least"), [("JPY", 50), ("KRW", 50), ("VND", 12_000), ("EUR", 50), ("IDR", 850_000), ("CLP", 1000)]
)
async def test_the_smallest_charge_of_a_currency(shop: Shop, currency: str, least: int) -> None:
    assert (await shop.buy(item(await shop.product(least, currency)))).created["total_amount"] == least
    refused = await shop.refusal(item(await shop.product(least - 1, currency)))
    assert refused[1] == "TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT"


async def test_a_total_of_nothing_in_any_currency(shop: Shop) -> None:
    await shop.settings(tax="table", adaptive_pricing="on", adaptive_fees="dodo", currencies="dodo,KWD")
    await shop.percentage("FREE", 10_000)
    product, nothing = await shop.product(2000), await shop.product(0, tax_inclusive=True)
    for country, currency in (("DE", "EUR"), ("JP", "JPY"), ("US", "USD"), ("KW", "KWD")):
        for cart, fields in (
            ([item(product)], {"discount_code": "FREE"}),
            ([item(nothing, 3), item(product, 0)], {}),
        ):
            bought = await shop.buy(*cart, country=country, billing_currency=currency, **fields)
            assert (told(bought), bought.payment["status"]) == ((currency, 0), "succeeded")
            assert (bought.settlement, bought.explanation["tax"]) == ((0, 0, "USD"), 0)


async def test_less_than_half_a_unit_becomes_nothing_beside_a_line_that_is_paid(shop: Shop) -> None:
    """0.3 cents are 0.4 yen: the line rounds to nothing, and alone it is refused."""
    await shop.settings(adaptive_pricing="on")
    crumb, whole = await shop.product(1, discount_bps=7000), await shop.product(2000)
    bought = await shop.buy(item(crumb), item(whole), country="JP")
    assert bought.amounts == (1 + 2987, 1, 0, 2987)
    refused = await shop.refusal(item(crumb), country="JP", billing_currency="JPY")
    assert refused[1] == "TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT"


async def test_three_decimals(shop: Shop) -> None:
    await shop.settings(currencies="dodo,KWD", tax="table")
    await shop.taxes("country,name,standard_percent\nKW,VAT,5\n")
    product = await shop.product(12_345, "KWD", tax_inclusive=False, discount_bps=1000)
    bought = await shop.buy(item(product, 3), country="KW")
    assert bought.amounts == (37_035, 3703, 1667, 34_999)
    assert bought.step("list_price")["rule"] == "3 x KWD 12.345"
