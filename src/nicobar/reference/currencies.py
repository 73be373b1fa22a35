"""The 145 currencies of the contract: decimals, smallest charge, and which of them can be charged.

An amount is a whole number of minor units; `exponent` says how many of its digits are decimals (contract: money,
section 0). The 84 chargeable currencies and their minimums are table 0.2 of the same page.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from nicobar.reference.table import Confidence, load


class Currency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `currencies.csv`."""

    code: str
    """ISO 4217 code."""
    numeric: str
    """ISO 4217 number, three digits."""
    name: str
    """English name."""
    symbol: str
    """Sign in English text, such as `$` or `CA$`; the code where there is none."""
    exponent: int
    """Number of decimals: 0, 2 or 3."""
    minimum_minor: int
    """Smallest charge in minor units. An amount of zero is free and always allowed."""
    chargeable: bool
    """True when a buyer can be charged in it; the others are valid in a request and then refused."""
    legal_tender: bool
    """False for a currency that its country has withdrawn."""
    source: Literal["iso_4217", "processors"]
    """Where `exponent` comes from; `processors` where card processors differ from ISO 4217."""
    minimum_source: Literal["dodo_2026", "dodo_2025", "stripe", "polar", "computed"]
    """Where `minimum_minor` comes from; `computed` is 0.50 US dollars rounded up to a round number."""
    minimum_confidence: Confidence
    note: str = ""


ALL: Final[tuple[Currency, ...]] = load("currencies.csv", Currency)
"""The currencies in the contract's order."""

_BY_CODE: Final = {currency.code: currency for currency in ALL}


def get(code: str) -> Currency:
    """Return the currency with an ISO 4217 code in capitals. Raises KeyError for another code."""
    return _BY_CODE[code]


def exponent(code: str) -> int:
    """Return the number of decimals of a currency. Raises KeyError for an unknown code."""
    return _BY_CODE[code].exponent


@cache
def exponents() -> Mapping[str, int]:
    """Return the number of decimals of every currency, by code."""
    return MappingProxyType({currency.code: currency.exponent for currency in ALL})


@cache
def chargeable() -> frozenset[str]:
    """Return the codes of the 84 currencies that a buyer can be charged in."""
    return frozenset(currency.code for currency in ALL if currency.chargeable)
