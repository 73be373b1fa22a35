"""Regions that are taxed otherwise than the country in their address, found by postal code, place and state.

The Canary Islands, Livigno, Büsingen and their like, with the provinces of Canada and the states of the United States,
which tax by themselves. Nothing here is tax advice; `confidence` marks what an address says, `tax_confidence` what is
taxed there.
"""

import re
from functools import cache

import msgspec

from nicobar.core.tax.tax_place import TaxRegion, TaxRegions
from nicobar.reference import countries
from nicobar.reference.table import Confidence, rows

_PREFIXES = ("postal_prefixes", "postal_lengths", "shared_prefixes")
_NAMES = ("towns", "names")


class ShippedRegion(TaxRegion, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """One row of `tax_regions.csv`."""

    source: str
    """Keys of `SOURCES.md`, separated by spaces."""
    confidence: Confidence
    """Of the postal codes; of the tax where the region has none."""
    tax_confidence: Confidence
    note: str = ""


@cache
def all_regions() -> tuple[ShippedRegion, ...]:
    """Return every row, in the order of the file."""
    found: list[dict[str, object]] = []
    for cells in rows("tax_regions.csv"):
        row: dict[str, object] = {**cells}
        for column in _PREFIXES:
            row[column] = cells.get(column, "").split()
        for column in _NAMES:
            row[column] = list(filter(None, cells.get(column, "").split("; ")))
        found.append(row)
    return msgspec.convert(found, tuple[ShippedRegion, ...], strict=False)


@cache
def tax_regions() -> TaxRegions:
    """Return the regions for look-ups."""
    return TaxRegions(all_regions(), _patterns())


def _patterns() -> dict[str, re.Pattern[str]]:
    patterns = {country.alpha2: country.postal_code_pattern for country in countries.ALL}
    return {code: re.compile(pattern, re.ASCII) for code, pattern in patterns.items() if pattern is not None}
