"""Price a requested cart: the one function behind creation and preview, so that they can never disagree."""

from typing import Final, NamedTuple

from nicobar.core.business_settings import BusinessSettings
from nicobar.core.cart import CartFacts, CartRequest, check_country, check_products, price_lines
from nicobar.core.fx import ChargeTerms, charge_currency
from nicobar.core.payment import Buyer
from nicobar.core.pricing import Quote, check_minimum, quote
from nicobar.core.problems import Problem
from nicobar.core.tax import TaxDecision
from nicobar.core.tenant import Tenant
from nicobar.flows.runtime import Runtime
from nicobar.reference import countries, currencies
from nicobar.reference.tax_ids import checked_tax_id
from nicobar.storage.cart import load_cart_facts

_UNTAXED: Final = TaxDecision(0, "", False, "tax is off", "")


class PricedCart(NamedTuple):
    """A cart that passed every check, with its amounts."""

    quote: Quote
    facts: CartFacts
    brand_id: str
    customer: Buyer | None
    """The existing customer, or None when the request brings a new one."""
    tax_id: str | None
    """The buyer's tax id in its compact form."""


async def price_cart(runtime: Runtime, tenant: Tenant, request: CartRequest, settings: BusinessSettings) -> PricedCart:
    """Read the facts in one round trip, climb the ladder of refusals in the contract's order, and quote.

    Raises Problem for the first rung that fails; nothing was written.
    """
    async with runtime.database.read() as read:
        facts = await load_cart_facts(
            read,
            tenant,
            customer_id=request.customer_id,
            email_key=request.email_key,
            product_ids=[item.product_id for item in request.items],
        )
    if request.customer_id is not None and facts.customer is None:
        raise Problem("NOT_FOUND", what=f"Customer {request.customer_id}", path="customer.customer_id")
    brand_id = check_products(request.items, facts.products)
    country = request.billing.country
    check_country(country, countries.get(country).name, settings.blocked_countries)
    currency = _currency(request, facts, settings)
    tax_id = None if request.tax_id is None else checked_tax_id(country, request.tax_id)
    taxes = {product.tax_category: _UNTAXED for product in facts.products.values()}
    lines = price_lines(request.items, facts.products, taxes)
    if request.discount_codes:
        raise Problem("INVALID_DISCOUNT_CODE", code=request.discount_codes[0], path="discount_codes[0]")
    known = currencies.get(currency)
    priced = quote(lines, ChargeTerms(currency, known.exponent, currency, known.exponent))
    check_minimum(priced.total, currency, known.minimum_minor, known.exponent)
    return PricedCart(priced, facts, brand_id, facts.customer, tax_id)


def _currency(request: CartRequest, facts: CartFacts, settings: BusinessSettings) -> str:
    return charge_currency(
        request.billing_currency,
        None,
        [facts.products[item.product_id].price.currency for item in request.items],
        adaptive=settings.adaptive_pricing == "on",
        chargeable=currencies.chargeable(),
    )
