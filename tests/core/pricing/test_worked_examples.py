"""The worked examples of the contract's page on amounts, by their numbers there, to the unit.

Example 3's mapping of the deprecated whole percent belongs to the product's wire format, and 22 belongs to refunds.
"""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from nicobar.core.discounts.discounts import (
    CodeHistory,
    CurrencyOption,
    DiscountCode,
    DiscountTerms,
    check_code,
    resolve_terms,
)
from nicobar.core.money.charm import CharmKind
from nicobar.core.money.fx import DODO_FEES, NO_FEE, FeeTiers, Rates, charge_terms, usd_rate
from nicobar.core.pricing.explanation import explain
from nicobar.core.pricing.pricing import CartLine, Quote, buyer_price, check_minimum, quote, with_fee
from nicobar.core.problems import Problem
from nicobar.core.tax.tax import TaxRow, TaxTable
from nicobar.core.tax.tax_place import TaxPlace

DAY = date(2026, 10, 30)
EXPONENTS = {"USD": 2, "EUR": 2, "GBP": 2, "INR": 2, "CAD": 2, "JPY": 0, "KWD": 3}
RATES = Rates(
    {
        code: usd_rate(text, DAY, "example")
        for code, text in {
            "EUR": "0.92",
            "GBP": "0.79",
            "INR": "83.20",
            "CAD": "1.37",
            "JPY": "149.37",
            "KWD": "0.3071",
        }.items()
    }
)


def line(unit_price: int, quantity: int = 1, currency: str = "USD", product: str = "A", **more: Any) -> CartLine:
    return CartLine(product, currency, unit_price, quantity, **more)


def percent(bps: int, cap: int | None = None, only: str | None = None) -> DiscountTerms:
    return DiscountTerms("dsc", "CODE", "percentage", bps, cap, frozenset({only} if only else ()))


def flat(amount: int) -> DiscountTerms:
    return DiscountTerms("dsc", "FLAT", "flat", amount)


def priced(
    lines: list[CartLine],
    *codes: DiscountTerms,
    charge: str | None = None,
    tiers: FeeTiers = NO_FEE,
    inclusive: bool = False,
    charm: CharmKind | None = None,
) -> Quote:
    own = lines[0].currency
    terms = charge_terms(
        charge or own, own, [item.currency for item in lines], RATES, EXPONENTS, fees_inclusive=inclusive
    )
    terms = msgspec.structs.replace(terms, charm=charm)
    return quote(lines, with_fee(lines, terms, codes, tiers, RATES, EXPONENTS), codes)


def amounts(result: Quote) -> tuple[int, int, int, int]:
    return result.subtotal, result.discount, result.tax, result.total


def settled(result: Quote) -> tuple[int, int, str]:
    return result.settlement_amount, result.settlement_tax, result.settlement_currency


def test_01_plain() -> None:
    assert amounts(priced([line(2000, 2)])) == (4000, 0, 0, 4000)


def test_02_product_discount() -> None:
    assert amounts(priced([line(1999, 3, discount_bps=1250)])) == (5997, 750, 0, 5247)


def test_03_product_discount_in_basis_points() -> None:
    assert amounts(priced([line(1000, discount_bps=1000)])) == (1000, 100, 0, 900)
    assert amounts(priced([line(333, 3, discount_bps=3333)])) == (999, 333, 0, 666)


def test_04_pay_what_you_want() -> None:
    price = buyer_price(500, 1200)
    assert amounts(priced([line(price, pay_what_you_want=True)], percent(2000))) == (1200, 240, 0, 960)
    assert buyer_price(500, 500) == 500
    with pytest.raises(Problem) as refusal:
        buyer_price(500, 499, path="product_cart[0].amount")
    assert (refusal.value.code, refusal.value.path) == ("REQUEST_AMOUNT_BELOW_MINIMUM", "product_cart[0].amount")
    with pytest.raises(Problem) as refusal:
        buyer_price(500, None)
    assert refusal.value.code == "PAY_AS_YOU_WANT_AMOUNT_REQUIRED"


def test_05_purchasing_power_parity() -> None:
    cart = [line(10_000, ppp_percent=30)]
    assert priced(cart).total == 3000
    assert priced(cart, charge="INR", tiers=DODO_FEES, inclusive=True).total == 249_600
    exclusive = priced(cart, charge="INR", tiers=DODO_FEES)
    assert (exclusive.total, exclusive.fee_bps) == (259_584, 400)


def test_06_exclusive_tax() -> None:
    assert amounts(priced([line(5000, currency="EUR", tax_rate_ppm=190_000)])) == (5000, 0, 950, 5950)


def test_07_inclusive_tax() -> None:
    cart = [line(2400, currency="GBP", tax_rate_ppm=200_000, tax_inclusive=True)]
    assert amounts(priced(cart)) == (2000, 0, 400, 2400)
    assert amounts(priced(cart, percent(1500))) == (2000, 300, 340, 2040)


def test_08_reverse_charge() -> None:
    table = TaxTable(
        [
            TaxRow("DE", None, "VAT", 190_000, effect="zero"),
            TaxRow("GB", None, "VAT", 200_000, effect="zero_if_seller_not_uk_established"),
        ]
    )
    german = table.decide(TaxPlace("DE"), "saas", DAY, tax_id_given=True, seller_country="FR")
    british = table.decide(TaxPlace("GB"), "saas", DAY, tax_id_given=True, seller_country="FR")
    assert german.reverse_charge
    assert british.reverse_charge
    exclusive = priced([line(5000, currency="EUR", tax_rate_ppm=german.rate_ppm)])
    assert amounts(exclusive) == (5000, 0, 0, 5000)
    inclusive = priced([line(2400, currency="GBP", tax_rate_ppm=british.rate_ppm, tax_inclusive=True)])
    assert amounts(inclusive) == (2400, 0, 0, 2400)


def test_09_percentages_follow_each_other() -> None:
    result = priced([line(10_000)], percent(1000), percent(2000))
    assert amounts(result) == (10_000, 2800, 0, 7200)
    assert result.lines[0].deductions == (1000, 1800)


def test_10_cap() -> None:
    assert amounts(priced([line(30_000)], percent(5000, cap=10_000))) == (30_000, 10_000, 0, 20_000)


def test_11_order_of_codes_matters() -> None:
    assert priced([line(10_000)], flat(2000), percent(1000)).total == 7200
    assert priced([line(10_000)], percent(1000), flat(2000)).total == 7000


def test_12_flat_pool() -> None:
    two = priced([line(7000), line(3000)], flat(1500))
    assert [part.deductions for part in two.lines] == [(1050,), (450,)]
    assert two.total == 8500
    three = priced([line(3333), line(3333), line(3334)], flat(1000))
    assert [part.discount for part in three.lines] == [333, 333, 334]
    assert three.total == 9000


def test_13_restricted_code_with_two_tax_rates() -> None:
    cart = [
        line(4990, 2, product="A", tax_rate_ppm=190_000),
        line(1550, product="B", tax_rate_ppm=70_000),
    ]
    result = priced(cart, percent(2500, only="A"))
    assert amounts(result) == (11_530, 2495, 1531, 10_566)
    assert [(part.net, part.tax) for part in result.lines] == [(7485, 1422), (1550, 109)]


def test_14_minimum_subtotal_counts_the_list_price() -> None:
    code = DiscountCode("dsc", "MIN", "percentage", 1000, (CurrencyOption("USD", minimum_subtotal=5000),))
    cart = [line(6000, discount_bps=5000)]
    check_code(code, CodeHistory(), cart, "USD", RATES, EXPONENTS, datetime(2026, 11, 23, tzinfo=UTC))
    assert priced(cart, resolve_terms(code, "USD", RATES, EXPONENTS)).total == 2700


@pytest.mark.parametrize(
    ("price", "charge", "inclusive", "total", "settlement", "fee_bps"),
    [
        (10_000, "CAD", False, 14_248, 10_000, 400),
        (10_000, "CAD", True, 13_700, 9600, 400),
        (50_000, "EUR", False, 47_380, 50_000, 300),
        (49_999, "EUR", False, 47_839, 49_999, 400),
        (150_000, "EUR", False, 142_140, 150_000, 300),
        (200_000, "EUR", False, 187_680, 200_000, 200),
    ],
)
def test_15_conversion_and_fee_tiers(
    price: int, charge: str, inclusive: bool, total: int, settlement: int, fee_bps: int
) -> None:
    result = priced([line(price)], charge=charge, tiers=DODO_FEES, inclusive=inclusive)
    assert (result.total, result.fee_bps, result.fees_inclusive) == (total, fee_bps, inclusive)
    assert settled(result) == (settlement, 0, "USD")


def test_16_currencies_with_no_and_three_decimals() -> None:
    assert priced([line(999)], charge="JPY", tiers=DODO_FEES).total == 1552
    assert priced([line(999)], charge="KWD").total == 3068


def test_17_charm_pricing() -> None:
    result = priced([line(4000)], charge="GBP", tiers=DODO_FEES, charm="nearest")
    assert amounts(result) == (2999, 0, 0, 2999)
    # 29.99 pounds are 37.96 dollars, of which the merchant bears 4 %.
    assert (settled(result), result.fee_bps, result.fees_inclusive) == ((3796 - 152, 0, "USD"), 400, True)


def test_18_everything() -> None:
    cart = [
        line(4900, 2, product="A", discount_bps=1000, tax_rate_ppm=190_000),
        line(1500, product="B", tax_rate_ppm=190_000),
    ]
    codes = (percent(2000, only="A"), flat(500))
    result = priced(cart, *codes, charge="EUR", tiers=DODO_FEES)
    assert amounts(result) == (10_812, 3126, 1460, 9146)
    assert settled(result) == (9559, 1526, "USD")
    a, b = result.lines
    assert (a.subtotal, a.net, a.tax, a.deductions[1]) == (9377, 6339, 1204, 412)
    assert (b.subtotal, b.net, b.tax, b.deductions) == (1435, 1347, 256, (0, 88))
    exact = {(step.what, step.line): step.amount_after for step in explain(result) if step.what != "code"}
    assert exact["subtotal", 0] == "234416/25"  # 9376.64
    assert exact["product_discount", 0] == "1054872/125"  # 8438.976

    inclusive = priced(cart, *codes, charge="EUR", tiers=DODO_FEES, inclusive=True)
    assert inclusive.total == 8772
    assert settled(inclusive) == (9154, 1522, "USD")


def test_19_a_full_discount_is_free() -> None:
    result = priced([line(4200, tax_rate_ppm=190_000)], percent(10_000))
    assert amounts(result) == (4200, 4200, 0, 0)
    check_minimum(result, 50, 2)


def test_20_a_flat_code_never_goes_below_zero() -> None:
    assert amounts(priced([line(900)], flat(1500))) == (900, 900, 0, 0)


def test_21_below_the_minimum_charge() -> None:
    with pytest.raises(Problem) as refusal:
        check_minimum(priced([line(40)]), 50, 2)
    assert refusal.value.code == "TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT"
    assert refusal.value.message == "Minimum amount of $0.50 is required to process payment"
    check_minimum(priced([line(50)]), 50, 2)


def test_without_conversion_the_merchant_is_credited_what_is_paid() -> None:
    result = priced([line(1000, tax_rate_ppm=200_000)], tiers=DODO_FEES)
    assert settled(result) == (1200, 200, "USD")
    assert result.fee_bps == 0
