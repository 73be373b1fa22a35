"""Consumption tax rates by country and region, as a starting point for a merchant's own table.

The rates are collected from public tables and age quickly; `confidence` and `source` mark each of them, and nothing
here is tax advice. Of the United States only the state's base rate is known, without counties and cities. Rates are
parts per million, so that 14.975 % is the integer 149750.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from nicobar.reference.table import Confidence, rows

CategoryTaxability = Literal["yes", "no", "partial", "local_only", "by_state", "business_use_only", "80_percent"]
"""How far a category is taxed; `by_state` and `local_only` name no rate of this row, `80_percent` a part of it."""

Effect = Literal[
    "zero", "charged", "zero_if_seller_not_uk_established", "zero_gst_only", "reduced_4", "no_tax", "unknown", ""
]
"""What a valid tax id does to the rate in a sale across the border; empty on a region means as in its country."""

_PPM_DECIMALS: Final = 4
"""One percent is 10 000 parts per million."""


class TaxRate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `tax_rates.csv`."""

    country: str
    """ISO 3166-1 alpha-2 code."""
    name: str
    """What the tax is called, such as `VAT`."""
    standard_ppm: int
    """Standard rate in parts per million."""
    e_book_ppm: int
    """Rate of electronic books in parts per million; the standard rate where no other is known."""
    saas_taxable: CategoryTaxability
    digital_taxable: CategoryTaxability
    source: str
    """Keys of `SOURCES.md` of the tables that carry this rate, separated by spaces."""
    confidence: Confidence
    """Of the standard rate."""
    e_book_confidence: Literal["high", "medium", "low", "standard"]
    """`standard` means that no rate for electronic books was found and the standard rate stands in."""
    effect_source: Literal["eu_directive", "paddle", "knowledge", "default"]
    """Where `effect` comes from; `default` means that nothing is known and the tax stays."""
    region: str | None = None
    """Subdivision code without the country, such as `CA` for California; None for the whole country."""
    region_names: tuple[str, ...] = ()
    """Names under which buyers write the region."""
    effect: Effect = ""
    note: str = ""


@cache
def rates() -> tuple[TaxRate, ...]:
    """Return every row, countries before their regions. A country without a row is not taxed."""
    found: list[dict[str, object]] = []
    for cells in rows("tax_rates.csv"):
        row: dict[str, object] = {**cells}
        row["standard_ppm"] = _ppm(cells["standard_percent"])
        row["e_book_ppm"] = _ppm(cells["e_book_percent"])
        del row["standard_percent"], row["e_book_percent"]
        row["region_names"] = cells["region_names"].split("; ") if "region_names" in cells else ()
        found.append(row)
    return msgspec.convert(found, tuple[TaxRate, ...])


@cache
def region_names() -> Mapping[str, Mapping[str, str]]:
    """Return country -> name of a region -> its code, for the regions that have a rate of their own."""
    names: dict[str, dict[str, str]] = {}
    for rate in rates():
        if rate.region is not None:
            names.setdefault(rate.country, {}).update(dict.fromkeys(rate.region_names, rate.region))
    return MappingProxyType({country: MappingProxyType(codes) for country, codes in names.items()})


def _ppm(percent: str) -> int:
    """Read the decimal text of a percentage into parts per million. Raises ValueError for a finer or other text."""
    whole, _, fraction = percent.partition(".")
    if len(fraction) > _PPM_DECIMALS:
        raise ValueError(f"finer than one part per million: {percent!r}")
    return int(whole + fraction.ljust(_PPM_DECIMALS, "0"))
