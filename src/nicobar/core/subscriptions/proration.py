"""What a plan change costs: the five modes, with the published arithmetic to the unit (contract, "Modes").

Prices are those of a whole period after standing discounts, in minor units of the subscription's currency.
"""

from datetime import datetime
from fractions import Fraction
from typing import Literal, NamedTuple

from nicobar.core.money.money import decimal_text, round_half_up
from nicobar.core.subscriptions.calendar import SECOND, ServicePeriod

ProrationMode = Literal[
    "prorated_immediately",
    "prorated_immediately_keep_cycle",
    "difference_immediately",
    "full_immediately",
    "do_not_bill",
]


class Share(NamedTuple):
    """A part of a whole period as an exact ratio between 0 and 1."""

    part: int
    whole: int

    def of(self, price: int) -> int:
        """Return this share of a price, rounded half-up to a minor unit."""
        return round_half_up(price * self.part, self.whole)

    def text(self) -> str:
        """Return it as the contract writes factors: "1", "0.625", with at most eight decimals."""
        return decimal_text(self.part, self.whole).removeprefix("about ")

    def ratio(self) -> str:
        """Return it as it is stored, in lowest terms: "1", "5/8"."""
        return str(Fraction(self.part, self.whole))


def read_share(text: str) -> Share:
    """Return a share that was stored: as `Share.ratio` writes it, or in decimals as it was written before."""
    ratio = Fraction(text)
    return Share(ratio.numerator, ratio.denominator)


WHOLE = Share(1, 1)
NOTHING = Share(0, 1)


class Proration(NamedTuple):
    """What a change of the plan costs now."""

    price: int
    """The new plan's part, not below zero."""
    credit: int
    """The old plan's part that is given back, not below zero."""
    share: Share
    """The part of a whole period of the new plan that `price` pays for."""
    credit_share: Share
    """The part of a whole period of the old plan that `credit` gives back."""
    restarts: bool
    """Whether a new cycle begins with the change."""
    period_price: int
    """What the current period costs at its plan after the change: what a later change gives back a share of."""

    @property
    def amount(self) -> int:
        """What is due; below zero it becomes credit."""
        return self.price - self.credit


def remaining(period: ServicePeriod, paused_seconds: int, now: datetime) -> Share:
    """Return the share of a period that is left at `now`, by whole seconds.

    `paused_seconds` are those by which pauses have moved its end: nobody used them, so they are no part of it.
    """
    whole = max(1, period.seconds - paused_seconds)
    return Share(min(whole, max(0, (period.ends_at - now) // SECOND)), whole)


def prorate(mode: ProrationMode, old: int, new: int, left: Share, *, restarts: bool) -> Proration:
    """Return what changing from `old` to `new` costs while `left` is left of the period.

    `old` is what the current period cost. `restarts` says that the new plan has another billing interval, or that a
    trial ends with the change: then a new cycle begins whatever the mode, except for `do_not_bill`.
    """
    match mode:
        case "do_not_bill":
            return Proration(0, 0, NOTHING, NOTHING, restarts=False, period_price=old)
        case "full_immediately":
            return Proration(new, 0, WHOLE, NOTHING, restarts=True, period_price=new)
        case "difference_immediately":
            return Proration(new, old, WHOLE, WHOLE, restarts, new)
        case "prorated_immediately" | "prorated_immediately_keep_cycle":
            if restarts:
                return Proration(new, left.of(old), WHOLE, left, restarts=True, period_price=new)
            return Proration(left.of(new), left.of(old), left, left, restarts=False, period_price=new)


class CreditUse(NamedTuple):
    """How an amount that is due meets a credit."""

    due: int
    """What is charged before tax."""
    used: int
    """What was taken of the credit."""
    added: int
    """What fills up a charge that would be too small, and is kept as credit."""
    carried: int = 0
    """By how much what is carried on to the next cycle grows; below zero when that is charged."""

    @property
    def movement(self) -> int:
        """By how much the credit changes."""
        return self.added - self.used


def use_credit(amount: int, credit: int, minimum: int) -> CreditUse:
    """Use up credit for an amount that is due.

    Where something is left to pay that is less than `minimum`, the smallest charge, as much is charged, and the
    difference is kept as credit (contract, "Credits").
    """
    used = min(amount, credit)
    due = amount - used
    if 0 < due < minimum:
        return CreditUse(minimum, used, minimum - due)
    return CreditUse(due, used, 0)
