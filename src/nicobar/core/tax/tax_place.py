"""Where an address lies for tax: in its country as a whole, or in a region that is taxed otherwise.

The Canary Islands are Spain to their post and lie outside the VAT area; Büsingen has a German postal code and Swiss
tax. So the postal code decides first, with its town where several share it, and the state that was typed only where
there is no code. The regions are data (`reference/tax_regions.csv`); here they are only looked up. Names are compared
as a whole: São João da Madeira is not Madeira.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from nicobar.core.customers.buyer import Address

VatArea = Literal["inside", "outside", "goods_only", ""]
"""How a region relates to the VAT area of the European Union; empty where the question does not arise."""

TaxSystem = Literal["country", "own_rate", "other_country", "own_tax", "none"]
"""What is charged there: the country's tax, the same tax at a rate of its own, another country's, or a tax of its own
or none, which both leave the country's tax out."""

Found = Literal["country", "postal code", "state"]
"""What of an address told its region."""

WHOLLY_DIVIDED: Final = frozenset({"CA", "US"})
"""Countries of which every valid postal code lies in a region, so that one that lies in none is a mistake."""

_TAIL: Final = re.compile(r"\bCEDEX\b.*")
_LETTERS_FIRST: Final = re.compile(r"[A-Z]{1,3}(?=\d{3})")
_CODES_WITH_LETTERS: Final = frozenset({"CA", "GB"})
_GIBRALTAR: Final = "GX11"


REGION_MISSING: Final = "Tax is that of a region here: give the postal code, or billing.state."
"""Why an address is refused that nobody is there to complete."""


class TaxRegion(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A region that is taxed otherwise than the country in the address, or that shares a code with one that is."""

    place: str
    """Names the place; two regions have the same one when it is addressed in two countries."""
    country: str
    """ISO 3166-1 alpha-2 code of the country in the address."""
    region: str | None = None
    """Subdivision code without the country, under which a tax table may have a row of its own."""
    name: str
    own_country: str | None = None
    """A country code that means this place alone."""
    postal_prefixes: tuple[str, ...] = ()
    """Prefixes of postal codes (`35`), ranges of them (`9485-9498`) and whole codes (`=BFPO57`)."""
    postal_lengths: tuple[int, ...] = ()
    """Lengths that a whole postal code may have; empty means any."""
    shared_prefixes: tuple[str, ...] = ()
    """Prefixes that other places use, too: they count together with one of `towns` or `names`."""
    towns: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """What people write as the state."""
    vat_area: VatArea = ""
    tax: TaxSystem
    tax_row: str | None = None
    """The row of the tax table that holds there, such as `CH` or `ES-GC`; None when there is none."""


class TaxPlace(msgspec.Struct, frozen=True, gc=False):
    """What an address says about where it is taxed."""

    country: str
    state: str | None = None
    """The state as it was written."""
    region: TaxRegion | None = None
    """None for the country as a whole."""
    found: Found | None = None
    """How the region was found."""
    elsewhere: frozenset[str] = frozenset()
    """Codes of regions in which the address cannot lie, whatever its state says: its postal code is another's."""

    @property
    def by_code(self) -> bool:
        """Whether a good postal code decided, so that the state could have said nothing else."""
        return self.found == "postal code" or bool(self.elsewhere)

    @property
    def is_open(self) -> bool:
        """Whether the tax is that of a region, and the address does not tell which."""
        return self.region is None and self.country in WHOLLY_DIVIDED

    @property
    def words(self) -> str:
        """The region in words, for the explanation of the amounts; empty when country and state name it themselves."""
        region = self.region
        named = region is not None and self.found == "state" and region.tax_row == f"{self.country}-{region.region}"
        if region is None or named or self.found == "country":
            return ""
        text = f"{region.name} ({self.country}) by {self.found}"
        return f"{text}, outside the EU VAT area" if region.vat_area == "outside" else text


class _Country:
    """The regions of one country, ready to be looked up."""

    def __init__(self) -> None:
        self.by_prefix: dict[str, TaxRegion] = {}
        self.by_whole_code: dict[str, TaxRegion] = {}
        self.shared: dict[str, list[TaxRegion]] = {}
        self.by_name: dict[str, TaxRegion] = {}
        self.codes: set[str] = set()
        self.lengths: set[int] = set()

    def add(self, region: TaxRegion) -> None:
        for token in region.postal_prefixes:
            if token.startswith("="):
                self.by_whole_code[token[1:]] = region
            else:
                self.by_prefix.update(dict.fromkeys(_spread(token), region))
        for prefix in region.shared_prefixes:
            self.shared.setdefault(prefix, []).append(region)
        for name in region.names:
            self.by_name.setdefault(plain(name), region)
        if region.region is not None:
            self.codes.add(region.region)
        self.lengths.update(region.postal_lengths)

    def by_code(self, code: str, city: str | None, state: str | None) -> TaxRegion | None:
        """Return the region of a postal code; the longest prefix wins, and a shared one over its equal."""
        if code in self.by_whole_code:
            return self.by_whole_code[code]
        for length in range(len(code), 0, -1):
            head = code[:length]
            for region in self.shared.get(head, ()):
                if _is_named(region, city, state):
                    return region
            found = self.by_prefix.get(head)
            if found is not None and (not found.postal_lengths or len(code) in found.postal_lengths):
                return found
        return None


class TaxRegions:
    """All regions, by the countries in which they are addressed."""

    __slots__ = ("_countries", "_own", "_patterns")

    def __init__(self, regions: Iterable[TaxRegion], patterns: Mapping[str, re.Pattern[str]]) -> None:
        """Index the regions; `patterns` are those of whole postal codes, by country."""
        self._countries: dict[str, _Country] = {}
        self._own: dict[str, TaxRegion] = {}
        self._patterns = patterns
        for region in regions:
            self._countries.setdefault(region.country, _Country()).add(region)
            if region.own_country is not None:
                self._own.setdefault(region.own_country, region)

    def find(self, address: Address) -> TaxPlace:
        """Return where an address is taxed. What is unknown about it leaves it in its country."""
        country, state = address.country, address.state
        if country in self._own:
            return TaxPlace(country, state, self._own[country], "country")
        known = self._countries.get(country)
        if known is None:
            return TaxPlace(country, state)
        code = bare_code(country, address.zipcode or "")
        region = known.by_code(code, address.city, state) if code else None
        if region is not None:
            return TaxPlace(country, state, region, "postal code")
        if code and country not in WHOLLY_DIVIDED and self._is_code(country, code, known.lengths):
            return TaxPlace(country, state, elsewhere=frozenset(known.codes))
        named = known.by_name.get(_state(country, state))
        return TaxPlace(country, state) if named is None else TaxPlace(country, state, named, "state")

    def asks_for_code(self, country: str) -> bool:
        """Return whether a postal code can decide the tax of an address in this country."""
        known = self._countries.get(country)
        return known is not None and bool(known.by_prefix)

    def _is_code(self, country: str, code: str, lengths: set[int]) -> bool:
        """Return whether a bare code has the form of the country's codes, whatever separates their parts."""
        pattern = self._patterns.get(country)
        if len(code) in lengths or pattern is None:
            return True
        parts = [(code[:at], code[at:]) for at in range(1, len(code))]
        written = [code, *(f"{left}{mark}{right}" for left, right in parts for mark in " -")]
        return any(pattern.fullmatch(text) is not None for text in written)


def bare_code(country: str, zipcode: str) -> str:
    """Return a postal code in capitals and digits alone, without the letters of its country and a French CEDEX."""
    text = ascii_digits(zipcode).upper()
    text = "".join(char for char in _TAIL.sub("", text) if char.isascii() and char.isalnum())
    if country in _CODES_WITH_LETTERS or text.startswith(_GIBRALTAR):
        return text
    return _LETTERS_FIRST.sub("", text, count=1) if _LETTERS_FIRST.match(text) else text


def ascii_digits(text: str) -> str:
    """Return a text in its compatible form (NFKC), with the digits of every script as 0 to 9."""
    normal = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.digit(char)) if char.isdecimal() else char for char in normal)


def plain(name: str) -> str:
    """Return a name as names are compared: without case, accents and punctuation."""
    text = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", name).casefold())
    text = "".join(char for char in text if unicodedata.category(char) != "Mn")
    return " ".join(re.sub(r"[^\w]+", " ", text).split())


def _state(country: str, state: str | None) -> str:
    """Return a state as it is compared; one that begins with its country, as in US-TX, without it."""
    text = (state or "").strip()
    return plain(text[len(country) + 1 :] if text.upper().startswith(f"{country}-") else text)


def _is_named(region: TaxRegion, city: str | None, state: str | None) -> bool:
    """Return whether the town contains one of the region's towns as whole words, or the state is one of its names."""
    words = f" {plain(city or '')} "
    if any(f" {plain(town)} " in words for town in region.towns):
        return True
    return bool(state) and _state(region.country, state) in {plain(name) for name in region.names}


def _spread(token: str) -> list[str]:
    """Return the prefixes of a token: `9485-9487` is three of them."""
    low, _, high = token.partition("-")
    if not high:
        return [low]
    return [str(number).zfill(len(low)) for number in range(int(low), int(high) + 1)]
