"""Which tax rate a line gets: country, region, category, date, and what a valid tax id changes.

The table itself is configuration, read elsewhere; this module only looks rows up and applies the effect of a tax
id (`money.md`, section 6, and the reference data's page on reverse charge). Rates are parts per million, so that
14.975 % is the integer 149750. Nothing here is tax advice: the merchant is responsible for the table.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final, Literal
from unicodedata import normalize

import msgspec

from nicobar.core.money.money import decimal_text

MILLION: Final = 1_000_000
"""100 % in parts per million."""

REDUCED_PPM: Final = 40_000
"""The 4 % that Puerto Rico charges a registered business."""

UNITED_KINGDOM: Final = frozenset({"GB", "IM"})
"""The Isle of Man shares the VAT area of the United Kingdom."""

Category = Literal["digital_products", "saas", "e_book", "edtech", "live_tutoring"]
"""The tax categories of the contract."""

Taxability = Literal["yes", "no", "partial", "local_only", "by_state", "business_use_only", "80_percent"]
"""How far a country or state taxes a category.

`yes` and `partial` take the full rate (the table does not say which part is taxed), `80_percent` four fifths of it.
`no`, `local_only` and `by_state` take nothing. `business_use_only` takes the full rate from a buyer with a tax id.
"""

TaxIdEffect = Literal[
    "zero", "charged", "zero_if_seller_not_uk_established", "zero_gst_only", "reduced_4", "no_tax", "unknown", ""
]
"""What a valid tax id does to the rate. `unknown`, `no_tax` and an empty value leave the rate as it is."""


class TaxRow(msgspec.Struct, frozen=True, gc=False):
    """One row of the tax table."""

    country: str
    """ISO 3166-1 alpha-2."""
    region: str | None
    """Subdivision code without the country, such as `CA` for California; None for the whole country."""
    name: str
    """What the tax is called on the invoice, such as `VAT`."""
    standard_ppm: int
    e_book_ppm: int | None = None
    """Rate of electronic books where it differs or is known; None means the standard rate."""
    saas_taxable: Taxability = "yes"
    digital_taxable: Taxability = "yes"
    effect: TaxIdEffect = ""
    """On a region's row an empty effect means that of the country's row."""
    valid_from: date | None = None
    """First day of the rate; None means always."""
    valid_to: date | None = None
    """First day on which the rate no longer holds; None means open."""
    source: str = ""


class TaxDecision(msgspec.Struct, frozen=True, gc=False):
    """The rate of one line, and why."""

    rate_ppm: int
    """Parts per million, to put on the cart line."""
    name: str
    """What the tax is called; empty where there is none."""
    reverse_charge: bool
    """True when the buyer's tax id brought the rate to zero; the invoice then says "Reverse charge"."""
    rule: str
    """The reason in words, for the explanation of the amounts."""
    source: str


class TaxTable:
    """Tax rows by country and region, with the names under which buyers write a region."""

    __slots__ = ("_aliases", "_rows")

    def __init__(self, rows: Iterable[TaxRow], region_aliases: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """Index the rows; `region_aliases` maps country -> full name in any case -> subdivision code."""
        self._rows: dict[tuple[str, str | None], list[TaxRow]] = {}
        for row in rows:
            self._rows.setdefault((row.country, row.region), []).append(row)
        for versions in self._rows.values():
            versions.sort(key=lambda row: row.valid_from or date.min, reverse=True)
        self._aliases = {
            country: {_plain(name): code for name, code in names.items()}
            for country, names in (region_aliases or {}).items()
        }

    def region_code(self, country: str, region: str | None) -> str | None:
        """Return the subdivision code for what a buyer wrote: `California`, `ca` or `US-CA`; None when unknown."""
        if region is None or not region.strip():
            return None
        alias = self._aliases.get(country, {}).get(_plain(region))
        if alias is not None:
            return alias
        code = region.strip().upper().removeprefix(f"{country}-")
        return code if (country, code) in self._rows else None

    def row(self, country: str, region: str | None, on: date) -> TaxRow | None:
        """Return the row that holds on a day: the region's, else the country's, else None."""
        code = self.region_code(country, region)
        found = self._valid(country, code, on) if code is not None else None
        return found or self._valid(country, None, on)

    def decide(
        self,
        country: str,
        region: str | None,
        category: Category,
        on: date,
        *,
        tax_id_valid: bool = False,
        seller_country: str | None = None,
    ) -> TaxDecision:
        """Decide the rate of a line.

        `country` and `region` are the billing address's, `tax_id_valid` says that the buyer gave a tax id that
        passed its check, and `seller_country` is where the merchant is established, None when unknown. A country
        without a row is not taxed.
        """
        row = self.row(country, region, on)
        if row is None:
            return TaxDecision(0, "", False, f"no tax row for {country}", "")
        rate = _category_rate(row, category, tax_id_valid)
        if rate == 0:
            reason = f"{_place(row)} does not tax {category}"
            if row.digital_taxable == "by_state":
                reason = f"{_place(row)} taxes by state, and the address names none that is known"
            return TaxDecision(0, row.name, False, reason, row.source)
        text = f"{row.name} {_percent(rate)} of {_place(row)}"
        if not tax_id_valid:
            return TaxDecision(rate, row.name, False, text, row.source)
        if seller_country == country:
            rule = f"{text}; the seller is established there, so a tax id changes nothing"
            return TaxDecision(rate, row.name, False, rule, row.source)
        return self._with_tax_id(row, rate, text, on, seller_country)

    def _with_tax_id(self, row: TaxRow, rate: int, text: str, on: date, seller_country: str | None) -> TaxDecision:
        """Apply the effect of a valid tax id in a sale across the border."""
        country_row = self._valid(row.country, None, on)
        effect = row.effect
        if not effect and row.region is not None and country_row is not None:
            effect = country_row.effect
        if effect == "zero" or (effect == "zero_if_seller_not_uk_established" and seller_country not in UNITED_KINGDOM):
            return TaxDecision(0, row.name, True, f"reverse charge for a valid tax id, instead of {text}", row.source)
        if effect == "zero_gst_only":
            kept = max(0, rate - (country_row.standard_ppm if country_row is not None else 0))
            rule = f"{_percent(kept)} regional tax stays for a valid tax id, instead of {text}"
            return TaxDecision(kept, row.name, kept == 0, rule, row.source)
        if effect == "reduced_4":
            reduced = min(rate, REDUCED_PPM)
            rule = f"{_percent(reduced)} for a registered business, instead of {text}"
            return TaxDecision(reduced, row.name, False, rule, row.source)
        return TaxDecision(rate, row.name, False, f"{text}; a tax id changes nothing", row.source)

    def _valid(self, country: str, region: str | None, on: date) -> TaxRow | None:
        for row in self._rows.get((country, region), ()):
            if (row.valid_from is None or row.valid_from <= on) and (row.valid_to is None or on < row.valid_to):
                return row
        return None


def _category_rate(row: TaxRow, category: Category, business: bool) -> int:
    """Return the rate of a category before any tax-id effect.

    The e-book column already says what a state does not tax. `edtech` follows digital products, and so does
    `live_tutoring`, for which the table has no column of its own.
    """
    if category == "e_book" and row.e_book_ppm is not None:
        return row.e_book_ppm
    taxable = row.saas_taxable if category == "saas" else row.digital_taxable
    if taxable in ("no", "local_only", "by_state") or (taxable == "business_use_only" and not business):
        return 0
    return row.standard_ppm * 4 // 5 if taxable == "80_percent" else row.standard_ppm


def _plain(name: str) -> str:
    return " ".join(normalize("NFKC", name).split()).casefold()


def _place(row: TaxRow) -> str:
    return row.country if row.region is None else f"{row.country}-{row.region}"


def _percent(ppm: int) -> str:
    return f"{decimal_text(ppm, MILLION // 100)} %"
