"""What a business's settings may name: countries, currencies, payment methods, and the lists behind the word `dodo`."""

from functools import cache

from nicobar.core.business.business_settings import Codes
from nicobar.reference import countries, currencies, methods


@cache
def codes() -> Codes:
    """Return every code of the contract with the two lists of the hosted service."""
    return Codes(
        countries=frozenset(country.alpha2 for country in countries.ALL),
        refused_countries=frozenset(country.alpha2 for country in countries.ALL if not country.accepted),
        currencies=frozenset(currency.code for currency in currencies.ALL),
        chargeable=currencies.chargeable(),
        payment_methods=frozenset(method.type for method in methods.ALL),
    )
