"""What Stripe calls things and how it counts: amounts in its own decimals, payment methods by its own names.

Stripe counts most currencies as everybody does. `stripe_currencies.csv` has those that it does not count in two
decimals, or of which it takes round amounts only (Stripe's page on currencies, "Minor units in API amounts").
"""

from collections.abc import Mapping
from functools import cache
from math import gcd
from types import MappingProxyType
from typing import Literal

import msgspec

from nicobar.reference import currencies
from nicobar.reference.table import Confidence, load


class StripeCurrency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `stripe_currencies.csv`: a currency that differs from two decimals in steps of one."""

    code: str
    """ISO 4217 code."""
    decimals: int
    """Decimals of an amount as Stripe takes it."""
    step: int
    """An amount, as Stripe takes it, has to be a multiple of this."""
    source: str
    confidence: Confidence
    note: str = ""


class StripeMethod(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `stripe_methods.csv`."""

    type: str
    """The contract's `payment_method_type`."""
    stripe_type: str
    """Stripe's name for it."""
    start: Literal["fields", "redirect"]
    """`fields`: Stripe's fields on our page collect what it needs. `redirect`: it needs nothing, so the customer is
    sent to the method's own page at once."""
    source: str
    confidence: Confidence
    """Of `start`; the names are the official library's."""
    note: str = ""


@cache
def stripe_currencies() -> Mapping[str, StripeCurrency]:
    """Return the currencies that Stripe counts in its own way, by code."""
    return MappingProxyType({row.code: row for row in load("stripe_currencies.csv", StripeCurrency)})


@cache
def stripe_methods() -> Mapping[str, StripeMethod]:
    """Return the methods that Stripe can run, by the contract's type."""
    return MappingProxyType({row.type: row for row in load("stripe_methods.csv", StripeMethod)})


def to_stripe(minor: int, currency: str) -> int:
    """Return an amount in minor units of ISO 4217 as Stripe counts it, exactly.

    Raises ValueError for an amount that Stripe cannot take, and KeyError for an unknown currency.
    """
    ours, theirs, step = _scales(currency)
    amount, rest = divmod(minor * theirs, ours)
    if rest or amount % step:
        raise ValueError(f"Stripe does not take {currency} in an amount of {minor} minor units.")
    return amount


def from_stripe(amount: int, currency: str) -> int:
    """Return an amount as Stripe counts it in minor units of ISO 4217, exactly. `currency` is in capitals.

    Raises ValueError for a fraction of a minor unit, and KeyError for an unknown currency.
    """
    ours, theirs, _step = _scales(currency)
    minor, rest = divmod(amount * ours, theirs)
    if rest:
        raise ValueError(f"{amount} is no whole number of minor units of {currency}.")
    return minor


def stripe_step(currency: str) -> int:
    """Return the step of amounts that Stripe takes, in minor units of ISO 4217. KeyError for an unknown currency."""
    ours, theirs, step = _scales(currency)
    return step * ours // gcd(step * ours, theirs)


def _scales(currency: str) -> tuple[int, int, int]:
    """Return how many parts we and Stripe make of one unit of the currency, and Stripe's step."""
    row = stripe_currencies().get(currency)
    decimals, step = (2, 1) if row is None else (row.decimals, row.step)
    return int(10 ** currencies.exponent(currency)), int(10**decimals), step
