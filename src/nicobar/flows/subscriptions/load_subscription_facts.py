"""Read what a subscription is priced with."""

from collections.abc import Mapping, Sequence

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.addon import Addon
from nicobar.core.discounts.discount_record import DiscountRecord
from nicobar.core.pricing.cart import CartRequest
from nicobar.core.subscriptions.subscription_request import RequestedPlan
from nicobar.flows.plans.load_attached_addons import load_attached_addons
from nicobar.flows.pricing.load_pricing_facts import load_pricing_facts
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.decide_subscription import SubscriptionFacts
from nicobar.flows.tax.check_tax_id import check_tax_id
from nicobar.storage.discounts.discounts import find_by_code


async def load_subscription_facts(
    runtime: Runtime, tenant: Tenant, cart: CartRequest, plans: Sequence[RequestedPlan]
) -> SubscriptionFacts:
    """Return the facts of a cart that holds the products of the plans. Raises Problem as `check_tax_id` does."""
    pricing = await load_pricing_facts(runtime, tenant, msgspec.structs.replace(cart, tax_id=None))
    discounts: dict[str, DiscountRecord] = {}
    known: dict[str, Mapping[str, Addon]] = {}
    async with runtime.database.snapshot() as read:
        for code in cart.discount_codes:
            if (record := await find_by_code(read, tenant, code)) is not None:
                discounts[code] = record
        for plan in plans:
            known[plan.product_id] = await load_attached_addons(read, tenant, plan.product_id, plan.addons)
    if cart.tax_id is not None and pricing.cart.products:
        country, settings = cart.billing.country, pricing.policy.settings
        pricing = pricing._replace(tax_id=await check_tax_id(runtime, country, cart.tax_id, settings))
    return SubscriptionFacts(pricing, known, discounts)
