"""The countries and currencies that a business's settings may name, and what the word `dodo` stands for in them."""

from functools import cache

from nicobar.core.business_settings import Codes
from nicobar.reference import countries, currencies


@cache
def codes() -> Codes:
    """Return every code of the contract with the two lists of the hosted service."""
    return Codes(
        countries=frozenset(country.alpha2 for country in countries.ALL),
        refused_countries=frozenset(country.alpha2 for country in countries.ALL if not country.accepted),
        currencies=frozenset(currency.code for currency in currencies.ALL),
        chargeable=currencies.chargeable(),
    )
