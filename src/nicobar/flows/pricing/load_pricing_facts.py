"""Read what a cart is priced with, in one query for all carts that are priced side by side."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.localized_price import LocalizedPrice
from nicobar.core.pricing.cart import CartFacts, CartRequest
from nicobar.core.pricing.pricing_facts import KnownCodes, PricingFacts
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.pricing.check_cart import check_cart
from nicobar.flows.runtime import Runtime
from nicobar.flows.tax.check_tax_id import check_tax_id
from nicobar.storage.catalog.localized_prices import load_localized_prices
from nicobar.storage.database import Database
from nicobar.storage.discounts.redemptions import load_codes
from nicobar.storage.gathering import Gatherings
from nicobar.storage.pricing.cart import CartLookup, load_cart_facts

_LOOKUPS: Final = Gatherings[CartLookup, CartFacts](at_most=32, usual=6)
"""A group leaves half of what there is to the next one: while PostgreSQL reads for it, the server decides about the
group before, which is then stored."""


async def load_pricing_facts(runtime: Runtime, tenant: Tenant, request: CartRequest) -> PricingFacts:
    """Return the policy and the facts; a cart without codes and localized prices costs one query.

    A tax id may have to be looked up in an external register, so it is checked only for a cart that has passed so far.
    Raises Problem as `check_cart` and `check_tax_id` do for a request with a tax id, and none for another.
    """
    policy = await load_policy(runtime, tenant)
    database = runtime.database
    cart = await _LOOKUPS.of(database).ask(None, _lookup(tenant, request), partial(_look_up, database.shared))
    markets = [product.product_id for product in cart.products.values() if product.pricing_mode is not None]
    localized: Mapping[str, Sequence[LocalizedPrice]] = {}
    codes: KnownCodes = {}
    if markets or request.discount_codes:
        customer_id = None if cart.customer is None else cart.customer.customer_id
        async with database.read() as read:
            if markets:
                localized = await load_localized_prices(read, tenant, markets)
            if request.discount_codes:
                codes = await load_codes(read, tenant, request.discount_codes, customer_id)
    facts = PricingFacts(policy, cart, localized, codes)
    if request.tax_id is None:
        return facts
    check_cart(request, facts)
    tax_id = await check_tax_id(runtime, request.billing.country, request.tax_id, policy.settings)
    return facts._replace(tax_id=tax_id)


def _lookup(tenant: Tenant, request: CartRequest) -> CartLookup:
    email_key = request.email_key if request.customer_id is None else None
    products = list({item.product_id: None for item in request.items})
    return CartLookup(tenant.business_id, tenant.mode, request.customer_id, email_key, products)


async def _look_up(database: Database, lookups: list[CartLookup]) -> Sequence[CartFacts]:
    async with database.read() as read:
        return await load_cart_facts(read, lookups)
