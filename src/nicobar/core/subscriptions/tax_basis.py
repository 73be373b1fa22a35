"""Amounts of a subscription counted with the tax or before it, where a plan change turns that round.

A price that contains the tax and one that does not are no amounts of one kind: what the old plan's period cost, and the
credit that is there, are counted as the new plan's prices are before they meet those.
"""

from collections.abc import Sequence
from fractions import Fraction

from nicobar.core.money.money import round_half_up
from nicobar.core.pricing.quote import CartLine
from nicobar.core.tax.tax import MILLION


def counted_otherwise(amount: int, lines: Sequence[CartLine], nets: Sequence[int], *, tax_inclusive: bool) -> int:
    """Return an amount of a plan's price with the tax (`tax_inclusive`) or before it, rounded half-up to a minor unit.

    `lines` are one cycle of that plan with the tax rates that count, `nets` what each of them costs: with the tax where
    its price contains it. The tax is shared as it is among them; a plan that costs nothing has that of its product.
    """
    shares = nets if sum(nets) else [1, *[0] * (len(lines) - 1)]
    counted = Fraction(0)
    for line, share in zip(lines, shares, strict=True):
        with_tax = MILLION + line.tax_rate_ppm
        if line.tax_inclusive == tax_inclusive:
            counted += share
        else:
            counted += Fraction(share * with_tax, MILLION) if tax_inclusive else Fraction(share * MILLION, with_tax)
    return round_half_up(amount * counted.numerator, counted.denominator * sum(shares))
