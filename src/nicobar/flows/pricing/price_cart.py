"""Price a requested cart: read the facts, then decide."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.pricing.cart import CartRequest
from nicobar.core.pricing.pricing_facts import PricedCart
from nicobar.flows.pricing.load_pricing_facts import load_pricing_facts
from nicobar.flows.pricing.quote_cart import quote_cart
from nicobar.flows.runtime import Runtime


async def price_cart(runtime: Runtime, tenant: Tenant, request: CartRequest) -> PricedCart:
    """Return the priced cart. Raises Problem for the first rung of the ladder that fails; nothing was written."""
    facts = await load_pricing_facts(runtime, tenant, request)
    return quote_cart(request, facts, runtime.now(tenant))
