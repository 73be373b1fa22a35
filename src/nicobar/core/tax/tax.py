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
from nicobar.core.tax.tax_place import TaxPlace, TaxRegion

MILLION: Final = 1_000_000
"""100 % in parts per million."""

REDUCED_PPM: Final = 40_000
"""The 4 % that Puerto Rico charges a registered business."""

UNITED_KINGDOM: Final = frozenset({"GB", "IM"})
"""The Isle of Man shares the VAT area of the United Kingdom."""

_ONE_COUNTRY: Final = (UNITED_KINGDOM, frozenset({"FR", "MC"}), frozenset({"FI", "AX"}), frozenset({"CH", "LI"}))
"""Countries that are one for their VAT, so that a sale from one to the other crosses no border."""

_COUNTRYS_OWN: Final = frozenset({"country", "own_rate", "other_country"})
"""Regions in which some country's tax is charged: without its row, that of the country in the address stands in."""

RowKey = tuple[str, str | None]
"""Country and region of a row."""

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
    place: str = ""
    """The region that the address lies in, in words; empty where the country and the state say it all."""


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

    def rows_at(self, place: TaxPlace) -> tuple[RowKey, ...]:
        """Return the rows that a place can be taxed by, the first one first. Places with equal ones are taxed alike."""
        return tuple(key for key in self._candidates(place) if key in self._rows)

    def ended(self, on: date) -> list[str]:
        """Return the places, such as `DE` or `US-TX`, whose rows have all ended on a day: no tax is charged there."""
        return sorted(
            _place(versions[0])
            for versions in self._rows.values()
            if all(row.valid_to is not None and row.valid_to <= on for row in versions)
        )

    def decide(
        self,
        place: TaxPlace,
        category: Category,
        on: date,
        *,
        tax_id_given: bool = False,
        tax_id_doubt: str = "",
        seller_country: str | None = None,
    ) -> TaxDecision:
        """Decide the rate of a line sold to a place, by the billing address.

        `tax_id_given` says that the buyer gave a tax id that passed its check, `tax_id_doubt` why that check proves
        nothing, and `seller_country` is where the merchant is established, None when unknown. What is unknown never
        lowers the tax: a doubtful tax id, or one when nobody knows whether the sale crosses a border, changes nothing.
        A country without a row is not taxed.
        """
        decision = self._decide(place, category, on, tax_id_given, tax_id_doubt, seller_country)
        return msgspec.structs.replace(decision, place=place.words) if place.words else decision

    def _decide(
        self,
        place: TaxPlace,
        category: Category,
        on: date,
        tax_id_given: bool,
        tax_id_doubt: str,
        seller_country: str | None,
    ) -> TaxDecision:
        held = (self._valid(key, on) for key in self.rows_at(place))
        row = next((row for row in held if row is not None), None)
        if row is None:
            return TaxDecision(0, "", False, _without_row(place.country, place.region), "")
        rate = _category_rate(row, category, tax_id_given)
        if rate == 0:
            reason = f"{_place(row)} does not tax {category}"
            if row.digital_taxable == "by_state":
                reason = f"{_place(row)} taxes by state, and the address names none that is known"
            return TaxDecision(0, row.name, False, reason, row.source)
        text = f"{row.name} {_percent(rate)} of {_place(row)}"
        if not tax_id_given:
            return TaxDecision(rate, row.name, False, text, row.source)
        doubt = tax_id_doubt or _doubt(place.country, row.country, seller_country)
        if doubt or seller_country is None:
            return TaxDecision(rate, row.name, False, f"{text}; the tax id changes nothing: {doubt}", row.source)
        if _same_country(seller_country, row.country):
            rule = f"{text}; the seller is established there, so a tax id changes nothing"
            return TaxDecision(rate, row.name, False, rule, row.source)
        return self._with_tax_id(row, rate, text, on, seller_country)

    def _candidates(self, place: TaxPlace) -> Iterable[RowKey]:
        """Yield the rows that could hold at a place, the most special one first."""
        region = place.region
        if region is None:
            code = self.region_code(place.country, place.state)
            if code is not None and code not in place.elsewhere:
                yield place.country, code
            yield place.country, None
            return
        if region.region is not None:
            yield region.country, region.region
        if place.found == "country":
            yield place.country, None
        if region.tax_row is not None:
            country, _, code = region.tax_row.partition("-")
            yield country, code or None
        if region.tax in _COUNTRYS_OWN:
            yield region.country, None

    def _with_tax_id(self, row: TaxRow, rate: int, text: str, on: date, seller_country: str | None) -> TaxDecision:
        """Apply the effect of a valid tax id in a sale across the border."""
        country_row = self._valid((row.country, None), on)
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

    def _valid(self, key: RowKey, on: date) -> TaxRow | None:
        for row in self._rows.get(key, ()):
            if (row.valid_from is None or row.valid_from <= on) and (row.valid_to is None or on < row.valid_to):
                return row
        return None


def _same_country(one: str, other: str) -> bool:
    """Return whether a sale from one country to the other crosses no border of VAT."""
    return one == other or any({one, other} <= area for area in _ONE_COUNTRY)


def _doubt(billing_country: str, taxing_country: str, seller_country: str | None) -> str:
    """Return why a valid tax id of the billing country proves nothing here; empty when it does."""
    if seller_country is None:
        return "the setting seller_country is empty, so nobody knows whether the sale crosses a border"
    if not _same_country(billing_country, taxing_country):
        return f"it is one of {billing_country}, and the tax is that of {taxing_country}"
    return ""


def _without_row(country: str, region: TaxRegion | None) -> str:
    if region is not None and region.tax not in _COUNTRYS_OWN:
        return f"no tax is collected in {region.name}"
    return f"no tax row for {country}"


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
