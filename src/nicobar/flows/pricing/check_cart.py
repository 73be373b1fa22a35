"""The first rungs of the ladder of refusals: who buys what, from where, in which currency. No I/O."""

from typing import NamedTuple

from nicobar.core.money.fx import charge_currency
from nicobar.core.pricing.cart import CartRequest, buyers_currency, check_country, check_products
from nicobar.core.pricing.pricing_facts import PricingFacts
from nicobar.core.problems import Problem
from nicobar.reference import countries


class CheckedCart(NamedTuple):
    """What is certain about a cart before its lines are priced."""

    brand_id: str
    """The brand that sells it."""
    currency: str
    """The charge currency."""


def check_cart(request: CartRequest, facts: PricingFacts) -> CheckedCart:
    """Check customer, products and country, and choose the charge currency.

    Raises Problem NOT_FOUND for the customer, what `core.cart.check_products` raises, UNSUPPORTED_COUNTRY, and
    UNSUPPORTED_CURRENCY, in this order.
    """
    if request.customer_id is not None and facts.cart.customer is None:
        raise Problem("NOT_FOUND", what=f"Customer {request.customer_id}", path="customer.customer_id")
    brand_id = check_products(request.items, facts.cart.products)
    country = countries.get(request.billing.country)
    check_country(country.alpha2, country.name, facts.policy.settings.blocked_countries)
    return CheckedCart(brand_id, _currency(request, facts, country))


def _currency(request: CartRequest, facts: PricingFacts, country: countries.Country) -> str:
    settings = facts.policy.settings
    adaptive, chargeable = settings.adaptive_pricing == "on", settings.currencies
    requested = request.billing_currency
    own = country.charge_currency if country.charge_currency_source != "fallback" else None
    products = facts.cart.products
    if not (adaptive and requested is not None):
        wanted = requested or own
        agreed = buyers_currency(request.items, products, facts.localized, country.alpha2, wanted, adaptive=adaptive)
        if agreed in chargeable and agreed is not None:
            return agreed
    bases = [products[item.product_id].price.currency for item in request.items]
    return charge_currency(requested, own, bases, adaptive=adaptive, chargeable=chargeable)
