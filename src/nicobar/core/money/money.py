"""Money as whole minor units, and the only two roundings that the project knows.

An amount is an `int` in the smallest unit of its currency (cents, yen, fils) together with the currency's code. Nothing
here divides money: a share goes through `allocate`, which preserves the sum, and an exact ratio becomes an amount
through `round_half_up`. Both rules come from the contract's page on amounts (`money.md`, section 1).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

INT32_MAX: Final = 2_147_483_647
"""The largest amount, in minor units, that the contract's 32-bit integers carry."""

SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "INR": "₹", "JPY": "¥"}
"""Signs for the currencies that buyers know by sign; every other currency is shown by its code."""


class Money(msgspec.Struct, frozen=True, gc=False):
    """An amount in minor units with its currency. It adds and subtracts within one currency and does not divide."""

    minor: int
    """The amount in minor units; negative means owed the other way."""
    currency: str
    """ISO 4217 code."""

    def __add__(self, other: "Money") -> "Money":
        """Return the sum. Raises ValueError when the currencies differ."""
        self._require_same_currency(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        """Return the difference. Raises ValueError when the currencies differ."""
        self._require_same_currency(other)
        return Money(self.minor - other.minor, self.currency)

    def _require_same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise ValueError(f"cannot combine {self.currency} with {other.currency}")


def round_half_up(numerator: int, denominator: int) -> int:
    """Round the exact ratio to the nearest integer; a ratio that ends in .5 goes away from zero.

    The denominator must be positive; ValueError otherwise.
    """
    if denominator <= 0:
        raise ValueError("the denominator must be positive")
    if numerator >= 0:
        return (2 * numerator + denominator) // (2 * denominator)
    return -((denominator - 2 * numerator) // (2 * denominator))


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Share `total` among `weights` by the largest remainder, so that the shares sum to `total`.

    Every share starts as the floor of its exact part; the units that are then missing go, one each, to the largest
    fractional parts, and of equal ones to the earlier. A weight of zero never gets a unit. Exact rational weights
    are passed as their numerators over one common denominator, which cancels out.

    Raises ValueError for a negative total or weight, and when a positive total meets no positive weight.
    """
    whole = sum(weights)
    if total < 0 or (weights and min(weights) < 0):
        raise ValueError("totals and weights cannot be negative")
    if not whole:
        if total:
            raise ValueError("nothing to share the total among")
        return [0] * len(weights)
    shares: list[int] = []
    remainders: list[int] = []
    for weight in weights:
        share, remainder = divmod(total * weight, whole)
        shares.append(share)
        remainders.append(remainder)
    missing = total - sum(shares)
    if missing:
        largest_first = sorted(range(len(shares)), key=remainders.__getitem__, reverse=True)
        for index in largest_first[:missing]:
            shares[index] += 1
    return shares


def decimal_text(numerator: int, denominator: int, places: int = 8) -> str:
    """Write the ratio as a plain decimal number with at most `places` decimals, for people to read.

    Trailing zeros are left out. A ratio that does not end within `places` is rounded half-up and marked by "about".
    """
    scaled = round_half_up(numerator * 10**places, denominator)
    exact = scaled * denominator == numerator * 10**places
    digits = str(abs(scaled)).rjust(places + 1, "0")
    cut = len(digits) - places
    fraction = digits[cut:].rstrip("0")
    text = ("-" if scaled < 0 else "") + digits[:cut] + ("." + fraction if fraction else "")
    return text if exact else f"about {text}"


def display_amount(minor: int, currency: str, exponent: int) -> str:
    """Write an amount for a sentence: `$0.50`, `¥50`, `CHF 0.50`. `exponent` is the currency's number of decimals."""
    digits = str(abs(minor)).rjust(exponent + 1, "0")
    cut = len(digits) - exponent
    number = digits[:cut] + ("." + digits[cut:] if exponent else "")
    sign = "-" if minor < 0 else ""
    symbol = SYMBOLS.get(currency)
    return f"{sign}{symbol}{number}" if symbol else f"{currency} {sign}{number}"
