"""Single rules of pricing that the worked examples do not show."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec
import pytest

from nicobar.core.discounts.discounts import DiscountTerms
from nicobar.core.money.fx import DODO_FEES, ChargeTerms, Rates, charge_terms, usd_rate
from nicobar.core.money.money import INT32_MAX
from nicobar.core.pricing.explanation import describe, explain
from nicobar.core.pricing.pricing import CartLine, QuoteInputs, check_minimum, quote, recompute, with_fee
from nicobar.core.problems import Problem

EXPONENTS = {"USD": 2, "EUR": 2, "JPY": 0, "CHF": 2, "INR": 2}
DAY = date(2026, 10, 30)
RATES = Rates(
    {
        "EUR": usd_rate("0.92", DAY, "central bank"),
        "JPY": usd_rate("149.373", DAY, "central bank"),
        "INR": usd_rate("83.20", DAY, "central bank"),
    }
)
DOLLARS = ChargeTerms("USD", 2, "USD", 2)


def euros(*line_currencies: str, fee_bps: int = 0, inclusive: bool = False, settle: str = "USD") -> ChargeTerms:
    terms = charge_terms("EUR", settle, line_currencies, RATES, EXPONENTS, fees_inclusive=inclusive)
    return msgspec.structs.replace(terms, fee_bps=fee_bps)


def test_an_empty_line_stays_in_the_cart_and_costs_nothing() -> None:
    result = quote([CartLine("A", "USD", 500, 0), CartLine("B", "USD", 500, 1)], DOLLARS)
    assert [part.total for part in result.lines] == [0, 500]
    assert result.total == 500


@pytest.mark.parametrize(
    "wrong",
    [
        {"unit_price": -1},
        {"quantity": -1},
        {"discount_bps": -1},
        {"discount_bps": 10_001},
        {"tax_rate_ppm": -1},
        {"ppp_percent": -1},
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    fields: dict[str, Any] = {"product_id": "A", "currency": "USD", "unit_price": 1, "quantity": 1}
    with pytest.raises(ValueError, match=r"cart line|product discount"):
        CartLine(**(fields | wrong))


def test_localized_price_takes_discounts_but_no_rate_no_parity_and_no_fee_on_top() -> None:
    line = CartLine("A", "EUR", 1000, 1, discount_bps=1000, ppp_percent=30, localized=True)
    result = quote([line], euros(fee_bps=400))
    assert (result.subtotal, result.discount, result.total) == (1000, 100, 900)
    # 900 euro cents are 978 US cents, of which the merchant bears 4 %.
    assert (result.settlement_amount, result.fee_bps, result.fees_inclusive) == (978 - 39, 400, True)
    with pytest.raises(ValueError, match="charge currency"):
        quote([msgspec.structs.replace(line, currency="USD")], euros("USD"))


def test_localized_price_makes_the_whole_cart_inclusive() -> None:
    cart = [CartLine("A", "EUR", 1000, 1, localized=True), CartLine("B", "USD", 1000, 1)]
    assert quote(cart, euros("USD", fee_bps=400)).total == 1920
    assert quote(cart[1:], euros("USD", fee_bps=400)).total == 957


def test_pay_what_you_want_keeps_the_buyers_number() -> None:
    line = CartLine("A", "USD", 1234, 1, discount_bps=5000, ppp_percent=30, pay_what_you_want=True)
    assert quote([line], DOLLARS).total == 1234
    assert quote([line], euros("USD")).total == 1135  # 1135.28


def test_mixed_currencies_are_converted_line_by_line() -> None:
    cart = [CartLine("A", "USD", 1000, 1), CartLine("B", "JPY", 1000, 1), CartLine("C", "EUR", 1000, 1)]
    result = quote(cart, euros("USD", "JPY", "EUR"))
    assert [part.total for part in result.lines] == [920, 616, 1000]  # 1000 / 149.373 x 0.92 = 6.159 euros
    assert result.settlement_amount == 2757  # 25.36 / 0.92 = 27.565 dollars


def test_mixed_currencies_carry_the_fee_only_where_they_are_converted() -> None:
    cart = [CartLine("A", "USD", 1000, 1), CartLine("C", "EUR", 1000, 1)]
    on_top = quote(cart, euros("USD", "EUR", fee_bps=400, settle="EUR"))
    assert [part.total for part in on_top.lines] == [957, 1000]  # 920 x 1.04 = 956.8
    assert on_top.settlement_amount == 1920  # 957 / 1.04 = 920.19
    inclusive = quote(cart, euros("USD", "EUR", fee_bps=400, settle="EUR", inclusive=True))
    assert inclusive.total == 1920
    assert inclusive.settlement_amount == 1883  # 920 x 4 % = 36.8
    assert (on_top.fee_bps, inclusive.fee_bps) == (400, 400)


def test_a_missing_conversion_is_refused() -> None:
    with pytest.raises(Problem) as refusal:
        quote([CartLine("A", "CHF", 1000, 1)], euros("USD"))
    assert refusal.value.code == "EXCHANGE_RATE_NOT_FOUND"


def test_no_fee_without_conversion() -> None:
    """An INR product charged in INR counts as inclusive, and no tier applies."""
    terms = charge_terms("INR", "INR", ["INR"], RATES, EXPONENTS)
    cart = [CartLine("A", "INR", 10_000, 1)]
    assert with_fee(cart, terms, (), DODO_FEES, Rates({}), EXPONENTS) == terms
    result = quote(cart, msgspec.structs.replace(terms, fee_bps=400))
    assert (result.total, result.settlement_amount, result.fee_bps, result.fees_inclusive) == (10_000, 10_000, 0, True)


def test_the_fee_tier_looks_at_the_exact_order_value() -> None:
    """1,500.00 dollars are 224,059.5 yen: the tier does not depend on how the yen are rounded."""
    terms = charge_terms("JPY", "USD", ["USD"], RATES, EXPONENTS)

    def fee(*cart: CartLine, codes: tuple[DiscountTerms, ...] = ()) -> int:
        return with_fee(cart, terms, codes, DODO_FEES, RATES, EXPONENTS).fee_bps

    assert fee(CartLine("A", "USD", 150_000, 1)) == 300
    assert fee(CartLine("A", "USD", 150_001, 1)) == 200
    assert fee(CartLine("A", "USD", 49_999, 1)) == 400
    assert fee(CartLine("A", "USD", 42_000, 1, tax_rate_ppm=200_000)) == 300  # 504 dollars with tax
    assert fee(CartLine("A", "USD", 42_000, 1, tax_rate_ppm=200_000, tax_inclusive=True)) == 400
    assert fee(CartLine("A", "USD", 60_000, 1), codes=(DiscountTerms("d", "X", "percentage", 2000),)) == 400


def test_an_earlier_fee_does_not_count_in_the_order_value() -> None:
    terms = euros("USD", fee_bps=9000)
    cart = [CartLine("A", "USD", 49_999, 1)]
    assert with_fee(cart, terms, (), DODO_FEES, RATES, EXPONENTS).fee_bps == 400


@pytest.mark.parametrize("quantity", [1, 10_000])
def test_amounts_above_32_bits_are_refused(quantity: int) -> None:
    line = CartLine("A", "USD", INT32_MAX // quantity + 1, quantity)
    with pytest.raises(Problem) as refusal:
        quote([line], DOLLARS)
    assert (refusal.value.code, refusal.value.status) == ("INTEGER_CONVERSION_FAILURE", 422)
    assert "Integer Conversion Failure" in refusal.value.message


def test_the_largest_amount_is_accepted() -> None:
    assert quote([CartLine("A", "USD", INT32_MAX, 1)], DOLLARS).total == INT32_MAX
    with pytest.raises(Problem) as refusal:
        quote([CartLine("A", "USD", INT32_MAX, 1, tax_rate_ppm=1)], DOLLARS)
    assert refusal.value.code == "INTEGER_CONVERSION_FAILURE"


def test_a_settlement_amount_above_32_bits_is_refused() -> None:
    terms = charge_terms("USD", "JPY", ["JPY"], RATES, {"USD": 2, "JPY": 0})
    assert quote([CartLine("A", "JPY", 1_000_000_000, 2)], terms).settlement_amount == 2_000_000_000
    with pytest.raises(Problem) as refusal:
        quote([CartLine("A", "JPY", 1_250_000_000, 2)], terms)
    assert refusal.value.code == "INTEGER_CONVERSION_FAILURE"


YEN = charge_terms("JPY", "JPY", ["JPY"], RATES, {"JPY": 0})


@pytest.mark.parametrize("total", [0, 50, 51])
def test_totals_that_may_be_charged(total: int) -> None:
    check_minimum(quote([CartLine("A", "JPY", total, 1)], YEN), 50, 0)


@pytest.mark.parametrize("total", [1, 49])
def test_totals_below_the_minimum(total: int) -> None:
    with pytest.raises(Problem) as refusal:
        check_minimum(quote([CartLine("A", "JPY", total, 1)], YEN), 50, 0)
    assert refusal.value.message == "Minimum amount of ¥50 is required to process payment"


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        (CartLine("A", "JPY", 1, 1, ppp_percent=30), ()),
        (CartLine("A", "JPY", 40, 1, discount_bps=9_900), ()),
        (CartLine("A", "JPY", 4_000, 1), [DiscountTerms("dsc_1", "MOST", "percentage", 9_999)]),
        (CartLine("A", "JPY", 1, 1, ppp_percent=40, tax_inclusive=True, tax_rate_ppm=200_000), ()),
    ],
)
def test_what_rounds_to_nothing_is_below_the_minimum_and_not_free(
    line: CartLine, codes: Sequence[DiscountTerms]
) -> None:
    priced = quote([line, CartLine("B", "JPY", 0, 1)], YEN, codes)
    assert (priced.total, priced.rounded_away) == (0, True)
    with pytest.raises(Problem) as refusal:
        check_minimum(priced, 50, 0)
    assert refusal.value.code == "TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT"


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        (CartLine("A", "JPY", 1_000, 0), ()),
        (CartLine("A", "JPY", 1_000, 3, discount_bps=10_000), ()),
        (CartLine("A", "JPY", 1_000, 3), [DiscountTerms("dsc_1", "ALL", "percentage", 10_000)]),
        (CartLine("A", "JPY", 1_001, 1, ppp_percent=33), [DiscountTerms("dsc_1", "POOL", "flat", 331)]),
    ],
)
def test_what_costs_exactly_nothing_is_free(line: CartLine, codes: Sequence[DiscountTerms]) -> None:
    priced = quote([line], YEN, codes)
    assert (priced.total, priced.rounded_away) == (0, False)
    check_minimum(priced, 50, 0)


def test_explanation_reads_in_order() -> None:
    lines = [
        CartLine("pdt_1", "USD", 4900, 2, discount_bps=1250, tax_rate_ppm=190_000, tax_rule="VAT 19 % of DE"),
        CartLine("pdt_2", "EUR", 2400, 1, tax_inclusive=True, tax_rate_ppm=190_000),
        CartLine("pdt_3", "USD", 1000, 1, ppp_percent=30, tax_rule="reverse charge", tax_source="table"),
    ]
    code = DiscountTerms("dsc_1", "SAVE", "percentage", 2000, restricted_to=frozenset({"pdt_1"}))
    result = quote(lines, euros("USD", "EUR", fee_bps=400), [code])
    assert [describe(step) for step in explain(result)] == [
        "Line 1: 2 x $49.00 gives USD 98.00 (product pdt_1).",
        "Line 1: rate USD->EUR 0.92 gives EUR 90.16 (central bank, 2026-10-30).",
        "Line 1: conversion fee 4 % on top gives EUR 93.7664.",
        "Line 1: subtotal before discounts gives EUR 93.7664.",
        "Line 1: product discount 12.5 % gives EUR 82.0456 (product pdt_1).",
        "Line 1: code SAVE 20 % gives EUR 65.63648 (discount dsc_1).",
        "Line 1: rounding half-up to a whole minor unit gives EUR 65.64.",
        "Line 1: tax 19 % on top, €12.47, gives EUR 78.11 (VAT 19 % of DE).",
        "Line 2: 1 x €24.00 gives EUR 24.00 (product pdt_2).",
        "Line 2: subtotal before discounts (€20.17 without tax) gives EUR 24.00.",
        "Line 2: rounding half-up to a whole minor unit gives EUR 24.00.",
        "Line 2: tax 19 % within the price, €3.83, gives EUR 24.00.",
        "Line 3: 1 x $10.00 gives USD 10.00 (product pdt_3).",
        "Line 3: purchasing power parity 30 % gives USD 3.00.",
        "Line 3: rate USD->EUR 0.92 gives EUR 2.76 (central bank, 2026-10-30).",
        "Line 3: conversion fee 4 % on top gives EUR 2.8704.",
        "Line 3: subtotal before discounts gives EUR 2.8704.",
        "Line 3: rounding half-up to a whole minor unit gives EUR 2.87.",
        "Line 3: no tax gives EUR 2.87 (reverse charge, table).",
        "Whole cart: sum of the lines gives EUR 104.98.",
        "Whole cart: settlement at rate USD->EUR 0.92 less the conversion fee of 4 % gives USD 110.72 "
        "(central bank, 2026-10-30).",
    ]
    assert [step.contribution for step in explain(result) if step.contribution] == [
        9377,
        -1172,
        -1641,
        1247,
        2017,
        383,
        287,
    ]


def test_sources_tell_where_a_price_comes_from() -> None:
    localized = explain(quote([CartLine("A", "EUR", 500, 1, localized=True)], euros()))[0]
    chosen = explain(quote([CartLine("A", "USD", 500, 1, pay_what_you_want=True)], DOLLARS))[0]
    assert localized.source == "localized price of product A"
    assert chosen.source == "the buyer's amount for product A"


def test_endless_fractions_are_marked() -> None:
    terms = charge_terms("USD", "EUR", ["EUR"], RATES, EXPONENTS)
    step = explain(quote([CartLine("A", "EUR", 1000, 1)], terms))[1]
    assert (step.amount_before, step.amount_after, step.minor_before, step.minor_after) == (
        "1000",
        "25000/23",
        1000,
        1087,
    )
    assert describe(step) == (
        "Line 1: rate EUR->USD about 1.08695652 gives about USD 10.86956522 (central bank, 2026-10-30)."
    )


def test_stored_inputs_reproduce_the_quote() -> None:
    code = DiscountTerms("dsc_1", "SAVE", "percentage", 2000, 300, frozenset({"A", "B"}), "row")
    result = quote([CartLine("A", "USD", 4999, 3, tax_rate_ppm=149_750)], euros("USD", fee_bps=400), [code])
    stored = msgspec.json.encode(result.inputs)
    again = recompute(msgspec.json.decode(stored, type=QuoteInputs))
    assert again == result
    assert explain(again) == explain(result)
