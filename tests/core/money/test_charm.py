"""Charm pricing: the clean ending of one price, and what it does to the amounts of a cart."""

from datetime import date

import msgspec
import pytest

from nicobar.core.discounts.discounts import DiscountTerms
from nicobar.core.money.charm import CharmKind, charm, charm_stages
from nicobar.core.money.fx import DODO_FEES, ChargeTerms, FeeTier, Rates, charge_terms, usd_rate
from nicobar.core.pricing.explanation import describe, explain
from nicobar.core.pricing.pricing import CartLine, Quote, QuoteInputs, quote, recompute, with_fee

EXPONENTS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
RATES = Rates(
    {
        "EUR": usd_rate("2", date(2026, 10, 30), "test"),
        "JPY": usd_rate("100", date(2026, 10, 30), "test"),
        "KWD": usd_rate("0.5", date(2026, 10, 30), "test"),
    }
)


def dollars_in(currency: str, charm: CharmKind | None = "nearest", settle: str = "USD") -> ChargeTerms:
    terms = charge_terms(currency, settle, ["USD"], RATES, EXPONENTS)
    return msgspec.structs.replace(terms, charm=charm)


def amounts(result: Quote) -> tuple[int, int, int, int]:
    return result.subtotal, result.discount, result.tax, result.total


def charmed(minor: int, exponent: int, kind: CharmKind) -> int | None:
    return charm(minor, 1, exponent, kind)


@pytest.mark.parametrize(
    ("minor", "exponent", "kind", "expected"),
    [
        # The samples of the hosted service's documentation.
        (4700, 2, "nearest", 4999),
        (4700, 2, "whole", 5000),
        (4700, 2, "floor", 3999),
        (4700, 2, "ceiling", 4999),
        (500, 2, "nearest", 499),
        (4700, 0, "nearest", 4999),
        (5, 0, "nearest", 4),
        (123_400, 2, "nearest", 99_900),
        # A tie goes up; below it, down.
        (4500, 2, "nearest", 4999),
        (4499, 2, "nearest", 3999),
        (150, 2, "nearest", 199),
        (150, 2, "whole", 200),
        # A price that is a multiple of its step already.
        (4000, 2, "floor", 3999),
        (4000, 2, "ceiling", 3999),
        (4000, 2, "whole", 4000),
        # The edges of the steps.
        (100, 2, "nearest", 99),
        (999, 2, "nearest", 999),
        (1000, 2, "nearest", 999),
        (9999, 2, "nearest", 9999),
        (10_000, 2, "nearest", 9990),
        (99_999, 2, "ceiling", 99_990),
        (100_000, 2, "nearest", 99_900),
        (1_000_000, 2, "nearest", 999_000),
        (1_499_999, 2, "nearest", 999_000),
        (1_500_000, 2, "nearest", 1_999_000),
        (123_456_789, 2, "nearest", 122_999_000),
        # The lowering is at least one minor unit.
        (47, 0, "nearest", 49),
        (470, 0, "nearest", 499),
        (47_000, 0, "nearest", 49_990),
        (5000, 3, "nearest", 4999),
        (47_000, 3, "nearest", 49_990),
    ],
)
def test_prices(minor: int, exponent: int, kind: CharmKind, expected: int) -> None:
    assert charmed(minor, exponent, kind) == expected


@pytest.mark.parametrize("kind", ["nearest", "floor", "ceiling", "whole"])
@pytest.mark.parametrize(("minor", "exponent"), [(0, 2), (1, 2), (99, 2), (999, 3), (0, 0)])
def test_below_one_major_unit_there_is_no_step(minor: int, exponent: int, kind: CharmKind) -> None:
    assert charmed(minor, exponent, kind) is None


def test_a_result_of_zero_leaves_the_price() -> None:
    assert charmed(1, 0, "nearest") is None
    assert charmed(1, 0, "floor") is None
    assert charmed(1, 0, "whole") == 1
    assert charm(14, 10, 0, "nearest") is None  # 1.4 yen
    assert charm(14, 10, 0, "ceiling") == 1


def test_the_exact_price_decides_not_a_rounded_one() -> None:
    assert charm(149_999, 100, 2, "nearest") == 999  # 14.9999 is nearer to 10
    assert charm(150_000, 100, 2, "nearest") == 1999
    assert charm(99_999, 1000, 2, "nearest") is None  # 0.99999 is below one


@pytest.mark.parametrize("kind", ["nearest", "floor", "ceiling", "whole"])
def test_a_higher_price_is_never_moved_below_a_lower_one(kind: CharmKind) -> None:
    prices = range(100, 3000)
    for charged in range(100, 1200, 7):
        stages = charm_stages([(price, 1) for price in prices] + [(charged, 1)], 1, 2, kind)
        if stages is None:
            continue
        assert list(stages.units[:-1]) == sorted(stages.units[:-1])
        assert stages.units[-1] == charmed(charged, 2, kind)


def test_stages_share_the_step_of_the_charged_price() -> None:
    stages = charm_stages([(24_000, 1), (9000, 1)], 2, 2, "nearest")
    assert stages is not None
    assert (stages.step, stages.units) == (1000, (11_999, 4999))  # 120.00 and 45.00 by tens, not by hundreds
    assert charm_stages([(24_000, 1), (198, 1)], 2, 2, "nearest") is None  # 0.99 a unit stays
    assert charm_stages([(0, 1), (0, 1)], 0, 2, "nearest") is None


@pytest.mark.parametrize(
    ("charge", "unit_price", "quantity", "total"),
    [
        ("EUR", 2350, 1, 4999),  # 47.00 euros
        ("EUR", 2350, 3, 14_997),  # the unit is moved, then multiplied
        ("JPY", 4700, 1, 4999),
        ("JPY", 4700, 2, 9998),
        ("KWD", 940, 1, 4999),  # 4.700 dinars
        ("EUR", 49, 1, 98),  # 0.98 euros stay
        ("EUR", 2350, 0, 0),
    ],
)
def test_one_line(charge: str, unit_price: int, quantity: int, total: int) -> None:
    result = quote([CartLine("A", "USD", unit_price, quantity)], dollars_in(charge))
    assert amounts(result) == (total, 0, 0, total)


def test_a_rise_raises_the_subtotal_and_is_no_negative_discount() -> None:
    result = quote([CartLine("A", "USD", 2350, 1, discount_bps=1000)], dollars_in("EUR"))
    assert amounts(result) == (4999, 1000, 0, 3999)  # 47.00 -> 49.99 and 42.30 -> 39.99
    result = quote([CartLine("A", "USD", 2350, 1, discount_bps=100)], dollars_in("EUR"))
    assert amounts(result) == (4999, 0, 0, 4999)  # 47.00 and 46.53 have the same clean ending


def test_each_code_shows_what_it_took_off_the_clean_prices() -> None:
    lines = [CartLine("A", "USD", 5000, 1, discount_bps=1000), CartLine("B", "USD", 1000, 2)]
    codes = [
        DiscountTerms("d1", "TWENTY", "percentage", 2000, None, frozenset({"A"})),
        DiscountTerms("d2", "FLAT", "flat", 1000),
    ]
    result = quote(lines, dollars_in("EUR"), codes)
    a, b = result.lines
    # A: 100.00, 90.00, 72.00, and 72.00/112.00 of the flat ten euros less: 65.57, so the step is ten.
    assert (a.subtotal, a.product_discount, a.deductions, a.net) == (9999, 1000, (2000, 0), 6999)
    # B: 20.00 a unit, untouched by the first code, then 18.22 (1.785 less).
    assert (b.subtotal, b.product_discount, b.deductions, b.net) == (3998, 0, (0, 0), 3998)
    assert amounts(result) == (13_997, 3000, 0, 10_997)


def test_a_full_discount_stays_free() -> None:
    code = DiscountTerms("d1", "FREE", "percentage", 10_000)
    result = quote([CartLine("A", "USD", 2350, 1, tax_rate_ppm=190_000)], dollars_in("EUR"), [code])
    assert amounts(result) == (4700, 4700, 0, 0)


def test_tax_is_taken_from_the_clean_price() -> None:
    exclusive = quote([CartLine("A", "USD", 2350, 2, tax_rate_ppm=200_000)], dollars_in("EUR"))
    assert amounts(exclusive) == (9998, 0, 2000, 11_998)  # 1999.6
    inclusive = quote([CartLine("A", "USD", 2350, 2, tax_rate_ppm=200_000, tax_inclusive=True)], dollars_in("EUR"))
    assert amounts(inclusive) == (8332, 0, 1666, 9998)  # 1666.33


def test_only_converted_prices_of_the_merchant_are_moved() -> None:
    lines = [
        CartLine("own", "EUR", 4700, 1),
        CartLine("localized", "EUR", 4300, 1, localized=True),
        CartLine("chosen", "USD", 2350, 1, pay_what_you_want=True),
        CartLine("converted", "USD", 2350, 1),
    ]
    result = quote(lines, dollars_in("EUR"))
    assert [part.total for part in result.lines] == [4700, 4300, 4700, 4999]
    at_home = msgspec.structs.replace(ChargeTerms("USD", 2, "USD", 2), charm="nearest")
    assert quote([CartLine("A", "USD", 4700, 1)], at_home).total == 4700


def test_charm_pricing_makes_the_whole_cart_inclusive() -> None:
    chosen = CartLine("chosen", "USD", 1000, 1, pay_what_you_want=True)
    fee = msgspec.structs.replace(dollars_in("EUR"), fee_bps=400)
    alone = quote([chosen], fee)
    assert (alone.total, alone.fees_inclusive) == (2080, False)
    both = quote([chosen, CartLine("A", "USD", 2350, 1)], fee)
    assert ([part.total for part in both.lines], both.fees_inclusive) == ([2000, 4999], True)
    assert (both.settlement_amount, both.fee_bps) == (3500 - 140, 400)  # 69.99 euros are 34.995 dollars


def test_the_fee_tier_looks_at_the_clean_price() -> None:
    """495.00 dollars are 990.00 euros, which charm pricing moves to 999.90: 499.95 dollars; 510.00 become 499.50."""
    tiers = (FeeTier(49_990, False, 400), FeeTier(None, True, 300))

    def fee(unit_price: int, charm: CharmKind | None) -> int:
        lines = [CartLine("A", "USD", unit_price, 1)]
        return with_fee(lines, dollars_in("EUR", charm), (), tiers, RATES, EXPONENTS).fee_bps

    assert (fee(49_500, None), fee(49_500, "nearest")) == (400, 300)
    assert (fee(51_000, None), fee(51_000, "nearest")) == (300, 400)
    assert with_fee([CartLine("A", "USD", 1000, 1)], dollars_in("EUR"), (), DODO_FEES, RATES, EXPONENTS).fee_bps == 400


def test_the_explanation_names_the_charm_price() -> None:
    line = CartLine("pdt_1", "USD", 2350, 2, discount_bps=1000, tax_rate_ppm=200_000)
    result = quote([line], dollars_in("EUR"))
    assert [describe(step) for step in explain(result)][2:7] == [
        "Line 1: subtotal before discounts gives EUR 94.00.",
        "Line 1: product discount 10 % gives EUR 84.60 (product pdt_1).",
        "Line 1: charm pricing nearest, 2 x €39.99 (before discounts 2 x €49.99), gives EUR 79.98 (step €10.00).",
        "Line 1: rounding half-up to a whole minor unit gives EUR 79.98.",
        "Line 1: tax 20 % on top, €16.00, gives EUR 95.98.",
    ]
    assert amounts(result) == (9998, 2000, 1600, 9598)
    contributions = {step.what: step.contribution for step in explain(result) if step.contribution}
    assert contributions == {"subtotal": 9400, "product_discount": -940, "charm": -462, "tax": 1600}
    assert sum(contributions.values()) == result.total


def test_the_explanation_of_a_tax_inclusive_charm_price_sums_to_the_total() -> None:
    result = quote([CartLine("A", "USD", 2350, 1, tax_rate_ppm=200_000, tax_inclusive=True)], dollars_in("EUR"))
    contributions = {step.what: step.contribution for step in explain(result) if step.contribution}
    assert contributions == {"subtotal": 3917, "charm": 249, "tax": 833}  # 47.00 and 49.99 without a sixth
    assert sum(contributions.values()) == result.total == 4999


def test_stored_inputs_reproduce_a_charm_price() -> None:
    result = quote([CartLine("A", "USD", 2350, 3, tax_rate_ppm=149_750)], dollars_in("EUR", "ceiling"))
    again = recompute(msgspec.json.decode(msgspec.json.encode(result.inputs), type=QuoteInputs))
    assert again == result
    assert explain(again) == explain(result)


def test_inputs_stored_before_charm_pricing_are_still_read() -> None:
    result = quote([CartLine("A", "USD", 2350, 1)], dollars_in("EUR", None))
    stored = msgspec.to_builtins(result.inputs)
    del stored["charge"]["charm"]
    assert recompute(msgspec.convert(stored, QuoteInputs)) == result


def test_the_settlement_is_that_of_the_clean_price() -> None:
    result = quote([CartLine("A", "USD", 2350, 1)], dollars_in("EUR"))
    assert (result.settlement_amount, result.settlement_currency) == (2500, "USD")
