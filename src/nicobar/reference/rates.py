"""A snapshot of exchange rates for the first start, before any feed has been read.

The rates are mid rates against the US dollar and have different days and qualities: legal pegs hold for years, the
rates of the European Central Bank belong to one day, and those marked `approximate` come from an open aggregate. A
server that charges in a floating currency has to refresh them; the snapshot is a seed, not a feed.
"""

from datetime import date
from functools import cache
from typing import Literal

import msgspec

from nicobar.reference.table import load


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `fx_usd.csv`."""

    code: str
    """ISO 4217 code."""
    units_per_usd: str
    """Major units for one US dollar as plain decimal text, so that no digit is lost on the way to an exact ratio."""
    as_of: date
    """The day the rate belongs to."""
    source: Literal["definition", "central_bank", "ecb", "currency_api"]
    """Key of `SOURCES.md`."""
    method: Literal["base", "peg_usd", "peg_cross", "ecb_cross", "aggregate", "retired_fixed"]
    """How it was obtained; the crosses are computed from two euro rates, or from a peg and a euro rate."""
    quality: Literal["exact", "exact_peg", "good", "approximate", "official_only"]
    """`exact` needs no feed; `official_only` is a legal rate that the market does not follow."""
    refresh: Literal["never", "daily"]
    note: str = ""


@cache
def snapshot() -> tuple[Rate, ...]:
    """Return the rate of every currency of the contract, in its order; USD is 1 by definition."""
    return load("fx_usd.csv", Rate)
