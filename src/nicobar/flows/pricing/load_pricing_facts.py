"""Read what a cart is priced with."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.pricing.cart import CartRequest
from nicobar.core.pricing.pricing_facts import KnownCodes, PricingFacts
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.pricing.check_cart import check_cart
from nicobar.flows.runtime import Runtime
from nicobar.flows.tax.check_tax_id import check_tax_id
from nicobar.storage.catalog.localized_prices import load_localized_prices
from nicobar.storage.discounts.redemptions import load_codes
from nicobar.storage.pricing.cart import load_cart_facts


async def load_pricing_facts(runtime: Runtime, tenant: Tenant, request: CartRequest) -> PricingFacts:
    """Return the policy and the facts; a cart without codes and localized prices costs one query.

    A tax id may have to be looked up in an external register, so it is checked only for a cart that has passed so far.
    Raises Problem as `check_cart` and `check_tax_id` do for a request with a tax id, and none for another.
    """
    policy = await load_policy(runtime, tenant)
    async with runtime.database.read() as read:
        cart = await load_cart_facts(
            read,
            tenant,
            customer_id=request.customer_id,
            email_key=request.email_key,
            product_ids=[item.product_id for item in request.items],
        )
        markets = [product.product_id for product in cart.products.values() if product.pricing_mode is not None]
        localized = await load_localized_prices(read, tenant, markets) if markets else {}
        customer_id = None if cart.customer is None else cart.customer.customer_id
        codes: KnownCodes = {}
        if request.discount_codes:
            codes = await load_codes(read, tenant, request.discount_codes, customer_id)
    facts = PricingFacts(policy, cart, localized, codes)
    if request.tax_id is None:
        return facts
    check_cart(request, facts)
    tax_id = await check_tax_id(runtime, request.billing.country, request.tax_id, policy.settings)
    return facts._replace(tax_id=tax_id)
