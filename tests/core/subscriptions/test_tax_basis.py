"""What an amount of a price with the tax is before it, and the other way round."""

import pytest

from nicobar.core.pricing.quote import CartLine
from nicobar.core.subscriptions.tax_basis import counted_otherwise


def line(rate_ppm: int, *, tax_inclusive: bool) -> CartLine:
    return CartLine("pdt_1", "EUR", 1000, 1, tax_inclusive=tax_inclusive, tax_rate_ppm=rate_ppm)


@pytest.mark.parametrize(
    ("rates", "nets", "amount", "with_tax"),
    [
        ([190_000], [10_000], 10_000, 11_900),
        ([190_000], [10_000], 7, 8),
        ([0], [10_000], 4321, 4321),
        ([190_000, 70_000], [5000, 5000], 10_000, 11_300),
        ([190_000, 70_000], [0, 0], 10_000, 11_900),
        ([190_000], [10_000], 0, 0),
    ],
)
def test_with_the_tax(rates: list[int], nets: list[int], amount: int, with_tax: int) -> None:
    lines = [line(rate, tax_inclusive=False) for rate in rates]
    assert counted_otherwise(amount, lines, nets, tax_inclusive=True) == with_tax
    assert counted_otherwise(amount, lines, nets, tax_inclusive=False) == amount


@pytest.mark.parametrize(
    ("rates", "nets", "amount", "before_tax"),
    [
        ([190_000], [11_900], 11_900, 10_000),
        ([190_000], [11_900], 8, 7),
        ([190_000, 70_000], [5950, 5350], 11_300, 10_000),
        ([190_000, 0], [0, 0], 11_900, 10_000),
    ],
)
def test_before_the_tax(rates: list[int], nets: list[int], amount: int, before_tax: int) -> None:
    lines = [line(rate, tax_inclusive=True) for rate in rates]
    assert counted_otherwise(amount, lines, nets, tax_inclusive=False) == before_tax
    assert counted_otherwise(amount, lines, nets, tax_inclusive=True) == amount
