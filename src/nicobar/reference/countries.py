"""The 249 countries of the contract: which are accepted, what they pay in, and how their addresses look.

The order is the contract's, which is also the order of its answer about supported countries.
"""

from functools import cache
from typing import Final, Literal

import msgspec

from nicobar.reference.table import Confidence, load


class Country(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of `countries.csv`."""

    alpha2: str
    """ISO 3166-1 alpha-2 code, as the contract uses it."""
    alpha3: str
    numeric: str
    """ISO 3166-1 number, three digits."""
    name: str
    """English name."""
    accepted: bool
    """True when payments from this billing country are accepted; 23 countries are refused."""
    charge_currency: str
    """Default charge currency (contract: money, table 0.2), USD where that table does not name the country."""
    charge_currency_source: Literal["dodo_2026", "fallback"]
    eu: bool
    """Member state of the European Union; territories outside its VAT area have a row of their own."""
    eea: bool
    """In the European Economic Area."""
    eurozone: bool
    """Member state whose currency is the euro."""
    postal_code_used: bool
    postal_code_required: bool
    """True when an address without a postal code is incomplete."""
    postal_code_kind: Literal["postal", "zip", "pin", "eircode"]
    """What buyers of the country call it."""
    state_required: bool
    """True when an address without a state or province is incomplete."""
    city_required: bool
    source: str
    """Keys of `SOURCES.md`, separated by spaces."""
    confidence: Confidence
    """Of the tax id columns and address rules; codes and acceptance are certain."""
    own_currency: str | None = None
    """The country's own currency, None when the contract does not know it."""
    postal_code_pattern: str | None = None
    """Regular expression for the whole postal code in capitals (`re.fullmatch`); None when there is no rule."""
    state_kind: str | None = None
    """What the first level below the country is called, such as `state` or `province`; None when unused."""
    tax_id_name: str | None = None
    """What businesses call their tax number; None when unknown."""
    tax_id_modules: tuple[str, ...] = ()
    """Modules of python-stdnum that check the number; one that accepts is enough. Empty: form unchecked."""
    note: str = ""


ALL: Final[tuple[Country, ...]] = load("countries.csv", Country, lists=("tax_id_modules",))
"""The countries in the contract's order."""

_BY_CODE: Final = {country.alpha2: country for country in ALL}


def get(alpha2: str) -> Country:
    """Return the country with an alpha-2 code in capitals. Raises KeyError for another code."""
    return _BY_CODE[alpha2]


@cache
def accepted() -> tuple[Country, ...]:
    """Return the 226 countries whose payments are accepted, in the contract's order."""
    return tuple(country for country in ALL if country.accepted)
