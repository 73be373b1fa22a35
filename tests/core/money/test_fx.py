"""Rates, fee tiers, and the choice of the charge currency."""

from datetime import date

import pytest

from nicobar.core.money.fx import (
    DODO_FEES,
    NO_FEE,
    Rates,
    charge_currency,
    charge_terms,
    fee_tier,
    settlement_currency,
    usd_rate,
)
from nicobar.core.problems import Problem

DAY = date(2026, 10, 30)
EXPONENTS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3, "INR": 2}
RATES = Rates(
    {
        "EUR": usd_rate("0.92", DAY, "central bank"),
        "JPY": usd_rate("149.37", date(2026, 9, 29), "aggregate"),
        "KWD": usd_rate("0.3071", DAY, "peg"),
    }
)
CHARGEABLE = {"USD", "EUR", "JPY", "INR"}


def test_rates_are_read_exactly() -> None:
    rate = usd_rate("0.92", DAY, "central bank")
    assert (rate.numerator, rate.denominator, rate.as_of, rate.source) == (23, 25, DAY, "central bank")
    assert (
        usd_rate(" 1525.027265 ", DAY, "").numerator * 1_000_000
        == 1_525_027_265 * usd_rate("1525.027265", DAY, "").denominator
    )
    assert usd_rate("7", DAY, "").denominator == 1


@pytest.mark.parametrize("text", ["", "0", "0.00", "-1", "1e3", "1,5", "1.2.3", "nan", "١"])
def test_rates_that_are_not_positive_decimals_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a positive decimal rate"):
        usd_rate(text, DAY, "")


def test_cross_rates_are_exact_and_inverse() -> None:
    assert RATES.cross("USD", "EUR") == (23, 25)
    assert RATES.cross("EUR", "USD") == (25, 23)
    assert RATES.cross("EUR", "JPY") == (14937, 92)
    assert RATES.cross("XXX", "XXX") == (1, 1)


@pytest.mark.parametrize(("source", "target"), [("USD", "INR"), ("INR", "EUR"), ("EUR", "INR")])
def test_missing_rate(source: str, target: str) -> None:
    with pytest.raises(Problem) as refusal:
        RATES.cross(source, target)
    assert refusal.value.code == "EXCHANGE_RATE_NOT_FOUND"
    assert refusal.value.status == 422
    assert refusal.value.message == f"Exchange rate not found to convert from {source} to {target}"


def test_conversion_counts_in_minor_units() -> None:
    yen = RATES.conversion("USD", "JPY", EXPONENTS)
    assert yen.numerator * 10_000 == yen.denominator * 14_937
    assert (yen.rate, yen.as_of, yen.source) == ("149.37", date(2026, 9, 29), "aggregate")
    fils = RATES.conversion("USD", "KWD", EXPONENTS)
    assert fils.numerator * 1_000 == fils.denominator * 3_071
    cross = RATES.conversion("JPY", "EUR", EXPONENTS)
    assert cross.numerator * 14_937 == cross.denominator * 9_200
    assert (cross.as_of, cross.source) == (date(2026, 9, 29), "aggregate; central bank")
    assert cross.rate == "about 0.0061592"


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        (0, 1, 400),
        (49_999, 1, 400),
        (499_999_999, 10_000, 400),
        (50_000, 1, 300),
        (150_000, 1, 300),
        (1_500_000_001, 10_000, 200),
        (150_001, 1, 200),
    ],
)
def test_fee_tiers(numerator: int, denominator: int, expected: int) -> None:
    assert fee_tier(DODO_FEES, numerator, denominator) == expected
    assert fee_tier(NO_FEE, numerator, denominator) == 0


def test_last_tier_with_a_limit_leaves_larger_orders_free() -> None:
    assert fee_tier(DODO_FEES[:1], 50_000, 1) == 0


def test_charge_terms_collect_what_the_cart_needs() -> None:
    terms = charge_terms("EUR", "USD", ["USD", "EUR", "USD", "JPY"], RATES, EXPONENTS, fees_inclusive=True)
    assert [conversion.source_currency for conversion in terms.conversions] == ["USD", "JPY"]
    assert terms.settlement is not None
    assert (terms.settlement.source_currency, terms.settlement.target_currency) == ("USD", "EUR")
    assert (terms.exponent, terms.settlement_exponent, terms.fee_bps, terms.fees_inclusive) == (2, 2, 0, True)
    assert terms.conversion_from("JPY") is terms.conversions[1]
    with pytest.raises(Problem) as refusal:
        terms.conversion_from("KWD")
    assert refusal.value.code == "EXCHANGE_RATE_NOT_FOUND"


def test_charge_terms_without_conversion_need_no_rate() -> None:
    terms = charge_terms("INR", "INR", ["INR"], Rates({}), EXPONENTS)
    assert (terms.conversions, terms.settlement) == ((), None)


@pytest.mark.parametrize(
    ("requested", "country", "products", "adaptive", "expected"),
    [
        (None, None, ["USD"], False, "USD"),
        ("EUR", "JPY", ["USD", "USD"], False, "USD"),  # adaptive pricing off: the request is discarded
        ("KWD", None, ["USD"], False, "USD"),  # even one that cannot be charged
        ("EUR", "JPY", ["USD"], True, "EUR"),
        (None, "JPY", ["USD"], True, "JPY"),
        (None, "KWD", ["INR"], True, "INR"),  # the country's currency cannot be charged
        (None, None, ["INR"], True, "INR"),
        (None, None, ["INR", "EUR"], True, "USD"),
        (None, "EUR", ["INR", "USD"], True, "EUR"),
        (None, None, ["KWD"], True, "USD"),
    ],
)
def test_choice_of_charge_currency(
    requested: str | None, country: str | None, products: list[str], adaptive: bool, expected: str
) -> None:
    assert charge_currency(requested, country, products, adaptive=adaptive, chargeable=CHARGEABLE) == expected


@pytest.mark.parametrize(
    ("requested", "products", "adaptive", "path"),
    [
        (None, ["USD", "EUR"], False, "product_cart"),
        (None, ["KWD"], False, "product_cart"),
        ("KWD", ["USD"], True, "billing_currency"),
    ],
)
def test_refused_charge_currency(requested: str | None, products: list[str], adaptive: bool, path: str) -> None:
    with pytest.raises(Problem) as refusal:
        charge_currency(requested, None, products, adaptive=adaptive, chargeable=CHARGEABLE)
    assert (refusal.value.code, refusal.value.status, refusal.value.path) == ("UNSUPPORTED_CURRENCY", 422, path)


def test_settlement_currency() -> None:
    assert settlement_currency(["EUR", "EUR"], "USD") == "EUR"
    assert settlement_currency(["EUR", "INR"], "USD") == "USD"
