"""Charge an on-demand subscription an amount of its merchant's choice."""

from datetime import datetime

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.fields import checked_metadata
from nicobar.core.pricing.pricing import check_minimum, quote
from nicobar.core.problems import Problem
from nicobar.core.subscription_problems import NO_NEW_CHARGE
from nicobar.core.subscriptions.due import is_over
from nicobar.core.subscriptions.plan import Plan
from nicobar.core.subscriptions.plan_change_request import DemandedCharge
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.plans.check_tax_id_again import check_tax_id_again
from nicobar.flows.plans.price_due import PricedDue, WhatIsDue, price_due
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.place_charge import ChargeOrder, Overtaken, place_charge
from nicobar.flows.subscriptions.require_subscription import require_subscription
from nicobar.reference import currencies


async def charge_on_demand(runtime: Runtime, tenant: Tenant, subscription_id: str, demanded: DemandedCharge) -> str:
    """Charge the stored method and return the id of the payment; a decline is no refusal, and changes no status.

    Raises Problem NOT_FOUND, SUBSCRIPTION_NOT_ON_DEMAND, SUBSCRIPTION_EXPIRED, SUBSCRIPTION_INACTIVE,
    CHARGE_NOT_ALLOWED_FOR_SCHEDULED_CANCELLATION, PREVIOUS_PAYMENT_PENDING, NO_ELIGIBLE_PAYMENT_METHODS,
    TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT, and what `price_due` and `place_charge` refuse; nothing is stored then.
    """
    subscription = await require_subscription(runtime, tenant, subscription_id)
    at = runtime.now(tenant)
    _check(subscription, at)
    if demanded.price and subscription.payment_method_id is None:
        raise Problem("NO_ELIGIBLE_PAYMENT_METHODS")
    metadata = subscription.metadata if demanded.metadata is None else checked_metadata(demanded.metadata)
    policy = await load_policy(runtime, tenant)
    tax_id = await check_tax_id_again(runtime, subscription, policy)
    plan = _plan(subscription, demanded)
    due = WhatIsDue(plan, [], subscription.credit, fees_inclusive=demanded.fees_inclusive)
    priced = price_due(subscription, due, policy, tax_id, at)
    _check_price(priced, subscription.currency)
    order = ChargeOrder(
        charge_type="on_demand",
        plan=plan,
        priced=priced,
        period=None,
        number=subscription.number,
        credit_use=priced.charge.credit_use,
        payment_method_id=subscription.payment_method_id,
        metadata=metadata,
        description=demanded.description,
    )
    try:
        placed = await place_charge(runtime, subscription, order, tax_id, at)
    except Overtaken as error:
        raise Problem("PREVIOUS_PAYMENT_PENDING", message=NO_NEW_CHARGE) from error
    return placed.payment.payment_id


def _check(subscription: Subscription, at: datetime) -> None:
    if not subscription.on_demand:
        raise Problem("SUBSCRIPTION_NOT_ON_DEMAND")
    if subscription.status == "expired" or is_over(subscription, at):
        raise Problem("SUBSCRIPTION_EXPIRED")
    if subscription.status != "active":
        raise Problem("SUBSCRIPTION_INACTIVE")
    if subscription.cancel_at_next_billing_date:
        raise Problem("CHARGE_NOT_ALLOWED_FOR_SCHEDULED_CANCELLATION")
    if subscription.open_charge is not None:
        raise Problem("PREVIOUS_PAYMENT_PENDING", message=NO_NEW_CHARGE)


def _check_price(priced: PricedDue, currency: str) -> None:
    """Refuse a price that is too small to be charged, as a payment of it is, instead of charging more than was asked.

    Where credit leaves too little of a larger one, `price_due` has raised the charge, and the difference is credit.
    """
    if priced.charge.quote.total:
        demanded = quote(priced.lines, priced.terms)
        check_minimum(demanded, currencies.get(currency).minimum_minor, priced.terms.exponent)


def _plan(subscription: Subscription, demanded: DemandedCharge) -> Plan:
    """Return the product at the demanded price, once."""
    product = subscription.plan.product
    price = msgspec.structs.replace(
        product.price,
        currency=demanded.currency or product.price.currency,
        price=demanded.price,
        discount_bps=0,
        purchasing_power_parity=False,
    )
    sold = msgspec.structs.replace(product.sold, price=price, localized=())
    line = msgspec.structs.replace(product, sold=sold, quantity=1)
    return msgspec.structs.replace(subscription.plan, product=line, addons=())
