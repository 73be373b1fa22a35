"""Put subscriptions together with their first payment, from what is stored now, and store nothing."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.pricing.cart import RequestedItem
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.subscription_request import SubscriptionRequest
from nicobar.flows.payments.check_payment_request import check_payment_request
from nicobar.flows.payments.decide_creation import NO_IDS, PaymentIds
from nicobar.flows.pricing.find_runnable_methods import find_runnable_methods
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.decide_subscription import DecidedSubscriptions, decide_subscription
from nicobar.flows.subscriptions.load_subscription_facts import load_subscription_facts


async def draft_subscription(
    runtime: Runtime,
    tenant: Tenant,
    request: SubscriptionRequest,
    ids: PaymentIds = NO_IDS,
    subscription_ids: Sequence[str] = (),
    at: datetime | None = None,
) -> DecidedSubscriptions:
    """Return what is to be stored at `at`, or now; without ids, it is only looked at.

    Raises Problem for what on-demand excludes, then for the first check that fails, in the order of
    `decide_subscription`.
    """
    _check_on_demand(request)
    checked = check_payment_request(tenant.mode, request.payment)
    products = [RequestedItem(plan.product_id, plan.quantity) for plan in request.plans]
    cart = msgspec.structs.replace(checked.cart, items=[*products, *request.one_time_items])
    facts = await load_subscription_facts(runtime, tenant, cart, request.plans)
    runnable = find_runnable_methods(runtime, facts.pricing.policy, tenant.mode)
    named = subscription_ids or [""] * len(request.plans)
    return decide_subscription(tenant, request, checked, facts, runnable, ids, named, at or runtime.now(tenant))


def _check_on_demand(request: SubscriptionRequest) -> None:
    """Refuse what an on-demand subscription cannot have."""
    if request.on_demand is None:
        return
    for plan in request.plans:
        if any(addon.quantity for addon in plan.addons):
            raise Problem("ADDONS_NOT_ALLOWED_FOR_ON_DEMAND", path=f"{plan.where}addons")
    if request.one_time_items:
        path = "product_cart" if request.in_session else "one_time_product_cart"
        raise Problem("ONE_TIME_PRODUCTS_NOT_ALLOWED_FOR_ON_DEMAND", path=path)
    if len(request.plans) > 1:
        detail = "An on-demand subscription is sold by itself"
        raise Problem("UNSUPPORTED_ACTION", detail=detail, path="product_cart")
    if request.payment.discount_codes or request.payment.discount_code:
        path = "discount_codes" if request.payment.discount_codes else "discount_code"
        raise Problem("DISCOUNT_NOT_AVAILABLE_FOR_ON_DEMAND", path=path)
