"""Charm pricing: moving a converted price to a clean ending such as 49.99 (`money.md`, section 7, last paragraph).

It works on the price of one unit in the charge currency, after every discount and before tax. The size of the price
chooses a step; the price goes to a multiple of the step and then down by a thousandth of it.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

CharmKind = Literal["nearest", "floor", "ceiling", "whole"]
"""To which multiple of its step a price goes: the closer one (from the middle upwards), the one below, the one above,
or, for `whole`, the closer one without the lowering."""

WIDEST_STEP: Final = 10_000
"""Major units. Prices of 10,000 and more all have this step, which keeps their change small."""

SHAVE: Final = 1_000
"""The part of the step by which a price is lowered: 10 lowers it by 0.01, and 1,000 by 1."""


class Charmed(msgspec.Struct, frozen=True, gc=False):
    """What charm pricing made of one line, in minor units."""

    step: int
    """The step of the price that is charged."""
    units: tuple[int, ...]
    """The price of one unit at each stage of the line, the charged one last."""


def charm(numerator: int, denominator: int, exponent: int, kind: CharmKind) -> int | None:
    """Return the charm price in minor units, or None where the price stays as it is.

    The exact price of one unit is `numerator / denominator` minor units of a currency with `exponent` decimals. It
    stays when it is below one major unit, which has no step, and when the result would not be above zero. (The
    contract's third case, a step wider than the price, does not arise: this table has no such step.)
    """
    step = _step(numerator, denominator, exponent)
    if step is None:
        return None
    price = _at_step(numerator, denominator, step, kind)
    return price if price > 0 else None


def charm_stages(stages: Sequence[tuple[int, int]], quantity: int, exponent: int, kind: CharmKind) -> Charmed | None:
    """Charm every stage of a line, or return None where the charged price stays as it is.

    `stages` are the line's exact amounts, as ratios in minor units, for all its units together: before discounts, after
    each of them, and last the one that is charged. All are moved by the step of the last one, so that a discount never
    shows what only the rounding took, and none of the differences is negative: a higher price is never moved below a
    lower one. A line without units stays as it is.
    """
    if not quantity:
        return None
    numerator, denominator = stages[-1]
    step = _step(numerator, denominator * quantity, exponent)
    if step is None:
        return None
    units = tuple([_at_step(top, bottom * quantity, step, kind) for top, bottom in stages])
    return Charmed(step, units) if units[-1] > 0 else None


def _step(numerator: int, denominator: int, exponent: int) -> int | None:
    """Return the step in minor units: the largest power of ten major units within the price, None below one."""
    major: int = 10**exponent
    if numerator < major * denominator:
        return None
    step, widest = major, WIDEST_STEP * major
    while step < widest and numerator >= 10 * step * denominator:
        step *= 10
    return step


def _at_step(numerator: int, denominator: int, step: int, kind: CharmKind) -> int:
    """Move the price to a multiple of the step and lower it, by at least one minor unit."""
    wide = step * denominator
    if kind == "floor":
        count = numerator // wide
    elif kind == "ceiling":
        count = -(-numerator // wide)
    else:
        count = (2 * numerator + wide) // (2 * wide)
    return count * step - (0 if kind == "whole" else max(1, step // SHAVE))
