"""Rounding, sharing and writing amounts."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nicobar.core.money.money import Money, allocate, decimal_text, display_amount, round_half_up


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        (0, 7, 0),
        (1, 2, 1),
        (3, 2, 2),
        (5, 2, 3),
        (-1, 2, -1),
        (-3, 2, -2),
        (-5, 2, -3),
        (149, 100, 1),
        (-149, 100, -1),
        (1085, 10, 109),
        (10**30 + 1, 2, 5 * 10**29 + 1),
    ],
)
def test_half_goes_away_from_zero(numerator: int, denominator: int, expected: int) -> None:
    assert round_half_up(numerator, denominator) == expected


@pytest.mark.parametrize("denominator", [0, -3])
def test_rounding_needs_a_positive_denominator(denominator: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        round_half_up(1, denominator)


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**12))
def test_rounding_is_the_nearest_integer(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    distance = abs(round_half_up(numerator, denominator) - exact)
    assert distance <= Fraction(1, 2)
    if distance == Fraction(1, 2):
        assert abs(round_half_up(numerator, denominator)) > abs(exact)
    assert round_half_up(-numerator, denominator) == -round_half_up(numerator, denominator)


@pytest.mark.parametrize(
    ("total", "weights", "expected"),
    [
        (1500, [7000, 3000], [1050, 450]),
        (1000, [3333, 3333, 3334], [333, 333, 334]),
        (2, [1, 1, 1], [1, 1, 0]),  # equal remainders: the earlier line
        (1, [1, 2, 1], [0, 1, 0]),  # the larger remainder before the earlier line
        (5, [0, 3, 0], [0, 5, 0]),
        (0, [0, 0], [0, 0]),
        (0, [], []),
        (500, [67_511_808, 14_352_000], [412, 88]),
    ],
)
def test_largest_remainder(total: int, weights: list[int], expected: list[int]) -> None:
    assert allocate(total, weights) == expected


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**15), min_size=1, max_size=40).filter(any))
def test_shares_sum_and_stay_within_one_unit(total: int, weights: list[int]) -> None:
    shares = allocate(total, weights)
    assert sum(shares) == total
    whole = sum(weights)
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - Fraction(total * weight, whole)) < 1
        assert weight or share == 0
    assert allocate(total, [weight * 9973 for weight in weights]) == shares


@pytest.mark.parametrize(("total", "weights"), [(-1, [1]), (1, [2, -1]), (1, [0, 0]), (1, [])])
def test_impossible_shares_are_refused(total: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match=r"negative|nothing to share"):
        allocate(total, weights)


def test_money_keeps_to_its_currency() -> None:
    assert Money(150, "EUR") + Money(50, "EUR") == Money(200, "EUR")
    assert Money(150, "EUR") - Money(200, "EUR") == Money(-50, "EUR")
    with pytest.raises(ValueError, match="EUR with USD"):
        Money(1, "EUR") + Money(1, "USD")
    with pytest.raises(ValueError, match="EUR with USD"):
        Money(1, "EUR") - Money(1, "USD")


@pytest.mark.parametrize(
    ("minor", "currency", "exponent", "expected"),
    [
        (50, "USD", 2, "$0.50"),
        (5, "EUR", 2, "€0.05"),
        (30, "GBP", 2, "£0.30"),
        (500, "INR", 2, "₹5.00"),
        (50, "JPY", 0, "¥50"),
        (17500, "HUF", 2, "HUF 175.00"),
        (1500, "KWD", 3, "KWD 1.500"),
        (-1234, "USD", 2, "-$12.34"),
        (-1234, "CHF", 2, "CHF -12.34"),
    ],
)
def test_display(minor: int, currency: str, exponent: int, expected: str) -> None:
    assert display_amount(minor, currency, exponent) == expected


@pytest.mark.parametrize(
    ("numerator", "denominator", "places", "expected"),
    [
        (5247375, 1000, 6, "5247.375"),
        (1250, 100, 8, "12.5"),
        (20, 1, 8, "20"),
        (1, 3, 4, "about 0.3333"),
        (2, 3, 4, "about 0.6667"),
        (-1, 4, 8, "-0.25"),
        (7, 1, 0, "7"),
    ],
)
def test_decimal_text(numerator: int, denominator: int, places: int, expected: str) -> None:
    assert decimal_text(numerator, denominator, places) == expected
