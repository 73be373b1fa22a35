"""Exchange rates as a feed publishes them, and what of a feed is taken into the rates in force.

A rate is kept as the two decimal texts that were published, so that no digit is lost and the rate between two
currencies of one feed is exactly the feed's own. Currencies that are fixed by law follow their anchor instead of a
feed: that keeps, for example, one euro at exactly 655.957 CFA francs.
"""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from math import gcd
from typing import Final, NamedTuple

import msgspec

from nicobar.core.money.fx import BASE, Rates, UsdRate, usd_rate
from nicobar.core.money.money import decimal_text
from nicobar.core.problems import Problem
from nicobar.core.typed_text import unusable

LARGEST_MOVE_PERCENT: Final = 20
"""How far a rate may move at once before it counts as a mistake of the feed."""

_LONGEST_SOURCE: Final = 500
"""Characters of the name of a publisher."""

_DECIMAL: Final = re.compile(r"\d{1,20}(?:\.\d{1,20})?", re.ASCII)


class QuotedRate(msgspec.Struct, frozen=True, gc=False):
    """One rate as published: `units` of the currency are worth `dollars` US dollars, both plain decimal text."""

    units: str
    dollars: str
    as_of: date
    """The day that the publisher gives."""
    source: str
    """Who published it; kept with every payment that uses it."""

    def __post_init__(self) -> None:
        """Refuse what is not a positive decimal of sensible length, and a source that is no text. Raises ValueError."""
        if len(self.source) > _LONGEST_SOURCE:
            raise ValueError(f"source is longer than {_LONGEST_SOURCE} characters")
        if odd := unusable(self.source):
            raise ValueError(f"source holds {odd}, which is no character of a text")
        for text in (self.units, self.dollars):
            if not _DECIMAL.fullmatch(text) or not text.strip("0."):
                raise ValueError(f"not a positive decimal number: {text!r}")

    def rate(self) -> UsdRate:
        """Return the exact ratio."""
        units = usd_rate(self.units, self.as_of, self.source)
        dollars = usd_rate(self.dollars, self.as_of, self.source)
        return _scaled(units, dollars.denominator, dollars.numerator, self.source)


class Anchor(NamedTuple):
    """A currency that is fixed by law to another one than the US dollar."""

    currency: str
    """The currency that it follows."""
    units: str
    """How many units one unit of that currency is worth, as decimal text."""


class Seed(NamedTuple):
    """What is known without any feed."""

    rates: Mapping[str, UsdRate]
    """A first rate of every currency."""
    fixed: frozenset[str]
    """Currencies with a legal rate to the US dollar, which no feed changes."""
    anchors: Mapping[str, Anchor]
    """Currencies that follow another one."""


class RateMove(NamedTuple):
    """A rate that moved too far to be believed; both rates are units for one US dollar, for people to read."""

    currency: str
    old: str
    new: str
    percent: str
    """How far it moved, in percent of the old rate."""


class Taken(NamedTuple):
    """What became of the rates of a feed."""

    quotes: Mapping[str, QuotedRate]
    """Every rate that is kept from now on: the earlier ones and the new ones."""
    changed: tuple[str, ...]
    """Currencies whose rate is new."""
    moved: tuple[RateMove, ...]
    """Refused: they moved by more than `LARGEST_MOVE_PERCENT`."""
    older: tuple[str, ...]
    """Passed over: the rate in force is from a later day."""
    fixed: tuple[str, ...]
    """Passed over: fixed by law."""


def rates_in_force(seed: Seed, quotes: Mapping[str, QuotedRate]) -> Rates:
    """Return the rates: the seed, over it what feeds brought, and the anchored currencies computed from both."""
    found = {**seed.rates, **{code: quote.rate() for code, quote in quotes.items()}}
    for code, anchor in seed.anchors.items():
        if code not in quotes and anchor.currency in found:
            units = usd_rate(anchor.units, date.min, "")
            source = f"{anchor.units} for 1 {anchor.currency} by law; {found[anchor.currency].source}"
            found[code] = _scaled(found[anchor.currency], units.numerator, units.denominator, source)
    found.pop(BASE, None)
    return Rates(found)


def take_feed(
    seed: Seed,
    kept: Mapping[str, QuotedRate],
    feed: Mapping[str, QuotedRate],
    today: date,
    *,
    force: bool = False,
    fixed_too: bool = False,
) -> Taken:
    """Decide which rates of a feed are taken; `kept` are those of earlier feeds.

    A rate that is older than the one in force, or that moved by more than 20 %, is taken only with `force`; one that
    is fixed by law only with `fixed_too`. Raises Problem INVALID_REQUEST_PARAMETERS for a feed from the future.
    """
    ahead = [code for code, quote in feed.items() if quote.as_of > today + timedelta(days=1)]
    if ahead:
        detail = f"The rate of {ahead[0]} is of {feed[ahead[0]].as_of}, which is in the future. Nothing was taken."
        raise Problem("INVALID_REQUEST_PARAMETERS", detail=detail)
    in_force = rates_in_force(seed, kept).by_currency
    quotes = dict(kept)
    moved: list[RateMove] = []
    older: list[str] = []
    fixed: list[str] = []
    changed: list[str] = []
    for code, quote in sorted(feed.items()):
        current = in_force.get(code)
        if code == BASE or quote == kept.get(code):
            continue
        if (code in seed.fixed or code in seed.anchors) and not fixed_too:
            fixed.append(code)
        elif current is not None and quote.as_of < current.as_of and not force:
            older.append(code)
        elif current is not None and not force and (move := _move(code, current, quote.rate())):
            moved.append(move)
        else:
            quotes[code] = quote
            changed.append(code)
    return Taken(quotes, tuple(changed), tuple(moved), tuple(older), tuple(fixed))


def rate_changes(before: Rates, after: Rates) -> list[str]:
    """Return one line for each currency whose rate is another one afterwards, those that follow another one included.

    They are units for one US dollar; how far a rate moves is in percent of the old one.
    """
    lines = []
    for code, new in sorted(after.by_currency.items()):
        old = before.by_currency.get(code)
        if old is None:
            lines.append(f"{code}: new, {rate_text(new)}")
            continue
        was, becomes = old.numerator * new.denominator, new.numerator * old.denominator
        if was != becomes:
            percent = decimal_text((becomes - was) * 100, was, 2)
            sign = "+" if becomes > was else ""
            lines.append(f"{code}: {rate_text(old)} -> {rate_text(new)} ({sign}{percent.removeprefix('about ')} %)")
    return lines


def rate_text(rate: UsdRate) -> str:
    """Write a rate as units for one US dollar, for people to read."""
    return decimal_text(rate.numerator, rate.denominator).removeprefix("about ")


def _move(code: str, old: UsdRate, new: UsdRate) -> RateMove | None:
    """Return the move of a rate if it is too far to be believed; it counts in percent of the old rate."""
    before, after = old.numerator * new.denominator, new.numerator * old.denominator
    distance = abs(after - before) * 100
    if distance <= before * LARGEST_MOVE_PERCENT:
        return None
    return RateMove(code, rate_text(old), rate_text(new), decimal_text(distance, before, 1).removeprefix("about "))


def _scaled(rate: UsdRate, numerator: int, denominator: int, source: str) -> UsdRate:
    """Return a rate times an exact ratio, under another source."""
    top, bottom = rate.numerator * numerator, rate.denominator * denominator
    common = gcd(top, bottom)
    return UsdRate(top // common, bottom // common, rate.as_of, source)
