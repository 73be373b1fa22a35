"""Charge what is due of a subscription: a renewal, a scheduled change, or once more what failed."""

from datetime import datetime
from typing import Final

from nicobar.core.payments.renewal_try import RenewalTry
from nicobar.core.problems import Problem
from nicobar.core.simulator.simulated_scenario import METADATA_KEY
from nicobar.core.subscriptions.due import ChargeDue
from nicobar.core.subscriptions.plan import working_terms
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.plans.check_tax_id_again import check_tax_id_again
from nicobar.flows.plans.count_otherwise import count_otherwise
from nicobar.flows.plans.price_due import WhatIsDue, price_due
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.place_charge import CHANGED_METHOD, ChargeOrder, PlacedCharge, place_charge
from nicobar.storage.payments.saved_methods import get_method
from nicobar.storage.subscriptions.charges import count_renewals

_METHOD_IS_OF_NO_USE: Final = ("NO_ELIGIBLE_PAYMENT_METHODS", "NOT_FOUND")
"""Refusals that say that the stored method cannot pay: it is gone, or another processor's than is connected now."""


class NothingToCharge(Exception):
    """The subscription has no method that can pay; nothing was written."""


async def charge_due(
    runtime: Runtime,
    subscription: Subscription,
    due: ChargeDue,
    at: datetime,
    *,
    payment_method_id: str | None = None,
    is_manual: bool = False,
) -> PlacedCharge:
    """Charge it, and return the payment.

    `payment_method_id` names another method than that of the subscription, which takes its place when it pays. Raises
    NothingToCharge when the subscription's own cannot pay, and Overtaken and Problem as `place_charge` and `price_due`
    do; nothing was written then.
    """
    policy = await load_policy(runtime, subscription.tenant)
    tax_id = await check_tax_id_again(runtime, subscription, policy)
    change, arrears = due.change, subscription.arrears
    plan = subscription.plan if change is None else change.plan
    codes = working_terms(subscription.codes if change is None else change.codes)
    part = arrears.price if arrears is not None and due.retry_attempt else None
    inclusive = subscription.tax_inclusive if change is None else change.tax_inclusive
    amounts = (subscription.credit, subscription.carried)
    credit, carried = count_otherwise(subscription, amounts, policy, tax_id, at, tax_inclusive=inclusive)
    what = WhatIsDue(plan, [] if part is not None else codes, credit, carried, part)
    priced = price_due(subscription, what, policy, tax_id, at)
    method = payment_method_id or subscription.payment_method_id
    if priced.charge.quote.total > 0 and not await _exists(runtime, subscription, method):
        if payment_method_id is None:
            raise NothingToCharge
        raise Problem("NOT_FOUND", what=f"Payment method {payment_method_id}", path="payment_method_id")
    replaces = payment_method_id not in (None, subscription.payment_method_id)
    order = ChargeOrder(
        charge_type=due.charge_type,
        plan=plan,
        priced=priced,
        period=due.period,
        number=due.number,
        credit_use=priced.charge.credit_use,
        payment_method_id=method,
        metadata=subscription.metadata if change is None else change.metadata,
        change=change,
        factor=arrears.factor if arrears is not None and due.retry_attempt else "1",
        retry_attempt=due.retry_attempt,
        is_manual=is_manual,
        replaces_method=replaces,
        action=CHANGED_METHOD if replaces else None,
        credit_otherwise=credit - subscription.credit,
        carried_otherwise=carried - subscription.carried,
    )
    if subscription.mode == "test" and METADATA_KEY in order.metadata and due.charge_type == "renewal":
        order = order._replace(renewal=await _renewal(runtime, subscription, due.retry_attempt))
    try:
        return await place_charge(runtime, subscription, order, tax_id, at)
    except Problem as problem:
        if payment_method_id is not None or problem.code not in _METHOD_IS_OF_NO_USE:
            raise
        raise NothingToCharge from problem


async def _renewal(runtime: Runtime, subscription: Subscription, retry_attempt: int) -> RenewalTry:
    """Return which renewal is charged: a retry is one more try of the last."""
    async with runtime.database.read() as read:
        begun = await count_renewals(read, subscription.tenant, subscription.subscription_id)
    return RenewalTry(begun if retry_attempt else begun + 1, retry_attempt)


async def _exists(runtime: Runtime, subscription: Subscription, method: str | None) -> bool:
    if method is None:
        return False
    async with runtime.database.read() as read:
        customer_id = subscription.customer.customer_id
        return await get_method(read, subscription.tenant, customer_id, method) is not None
