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
    fallback: str | None
    """What to charge in when that cannot hold the total: the products' own currency. None for the same one, and for a
    currency that the request names."""


def check_cart(request: CartRequest, facts: PricingFacts) -> CheckedCart:
    """Check customer, products and country, and choose the charge currency.

    A payment that is priced again in the same country stays in its currency.

    Raises Problem NOT_FOUND for the customer, what `core.pricing.cart.check_products` raises, UNSUPPORTED_COUNTRY, and
    UNSUPPORTED_CURRENCY, in this order.
    """
    if request.customer_id is not None and facts.cart.customer is None:
        raise Problem("NOT_FOUND", what=f"Customer {request.customer_id}", path="customer.customer_id")
    brand_id = check_products(request.items, facts.cart.products)
    country, kept = countries.get(request.billing.country), facts.kept
    if kept is not None and kept.country == country.alpha2:
        return CheckedCart(brand_id, kept.inputs.charge.currency, None)
    check_country(country.alpha2, country.name, facts.policy.settings.blocked_countries)
    currency = _currency(request, facts, country)
    fallback = None if request.billing_currency is not None else _own_currency(request, facts)
    return CheckedCart(brand_id, currency, None if fallback == currency else fallback)


def _own_currency(request: CartRequest, facts: PricingFacts) -> str | None:
    """Return what the cart is charged in whatever the country; None when its prices do not adapt anyway."""
    settings = facts.policy.settings
    if settings.adaptive_pricing != "on":
        return None
    bases = [facts.cart.products[item.product_id].price.currency for item in request.items]
    return charge_currency(None, None, bases, adaptive=True, chargeable=settings.currencies)


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
