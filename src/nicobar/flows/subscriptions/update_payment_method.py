"""Charge another method from now on, and pay with it what is owed."""

from datetime import datetime, timedelta

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.methods import CARD_TYPES
from nicobar.core.problems import Problem
from nicobar.core.return_url import checked_return_url
from nicobar.core.subscriptions.charges import price_left
from nicobar.core.subscriptions.due import retry_of
from nicobar.core.subscriptions.lifecycle import replace_method
from nicobar.core.subscriptions.plan import working_terms
from nicobar.core.subscriptions.plan_change_request import MethodUpdate
from nicobar.core.subscriptions.subscription import UNPAID, Subscription
from nicobar.flows.accounts.find_charging_processor import find_charging_processor
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.customers.require_saved_method import require_saved_method
from nicobar.flows.plans.check_tax_id_again import check_tax_id_again
from nicobar.flows.plans.price_due import WhatIsDue, price_due
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.charge_due import charge_due
from nicobar.flows.subscriptions.place_charge import CHANGED_METHOD, ChargeOrder, Overtaken, PlacedCharge, place_charge
from nicobar.flows.subscriptions.require_subscription import require_subscription
from nicobar.flows.subscriptions.save_move import save_move
from nicobar.storage.subscriptions.subscriptions import lock_subscription


async def update_payment_method(
    runtime: Runtime, tenant: Tenant, subscription_id: str, update: MethodUpdate
) -> PlacedCharge | None:
    """Use a saved method at once, or return a payment on whose page the customer gives another one.

    Where something is owed, it is charged: to the saved method at once, or on the page. An earlier page for it, which
    its customer may have lost, ends then. A decline is no refusal. Raises Problem INVALID_REQUEST_BODY for the return
    address, NOT_FOUND for the subscription or the method, SUBSCRIPTION_INACTIVE for what has ended or not begun,
    PREVIOUS_PAYMENT_PENDING while a charge is under way, and NO_ELIGIBLE_PAYMENT_METHODS; nothing is changed then.
    """
    update = msgspec.structs.replace(update, return_url=checked_return_url(update.return_url))
    subscription = await require_subscription(runtime, tenant, subscription_id)
    if subscription.status not in ("active", "paused", *UNPAID):
        raise Problem("SUBSCRIPTION_INACTIVE")
    owes, opened = subscription.status in UNPAID, subscription.open_charge
    if owes and opened is not None and opened.link_until is None:
        raise Problem("PREVIOUS_PAYMENT_PENDING")
    at = runtime.now(tenant)
    try:
        if update.payment_method_id is None:
            return await _by_page(runtime, subscription, update, at, owes=owes)
        if owes:
            due = retry_of(subscription)
            method = update.payment_method_id
            return await charge_due(runtime, subscription, due, at, payment_method_id=method, is_manual=True)
        await _replace(runtime, subscription, update.payment_method_id, at)
    except Overtaken as error:
        raise Problem("PREVIOUS_PAYMENT_PENDING") from error
    return None


async def _replace(runtime: Runtime, subscription: Subscription, payment_method_id: str, at: datetime) -> None:
    tenant = subscription.tenant
    processor = await find_charging_processor(runtime, tenant)
    async with runtime.database.transaction() as tx:
        own = await lock_subscription(tx, tenant, subscription.subscription_id)
        if own != subscription:
            raise Overtaken
        customer_id, currency = subscription.customer.customer_id, subscription.currency
        await require_saved_method(tx, tenant, customer_id, payment_method_id, processor, currency, None)
        await save_move(runtime, tx, replace_method(subscription, payment_method_id, at), at)
        ids = [subscription.subscription_id]
        await write_audit_entry(runtime, tx, tenant, CHANGED_METHOD, ids, ["payment_method_id"])


async def _by_page(
    runtime: Runtime, subscription: Subscription, update: MethodUpdate, at: datetime, *, owes: bool
) -> PlacedCharge:
    """Return a payment with a link: of what is owed, or of nothing, which only keeps the card."""
    allowed = CARD_TYPES if update.allowed_types is None else CARD_TYPES.intersection(update.allowed_types)
    if not allowed:
        raise Problem("NO_ELIGIBLE_PAYMENT_METHODS", path="allowed_payment_method_types")
    policy = await load_policy(runtime, subscription.tenant)
    tax_id = await check_tax_id_again(runtime, subscription, policy)
    arrears = subscription.arrears
    part = 0 if not owes or arrears is None else arrears.price
    codes = working_terms(subscription.codes) if part is None else []
    credit = subscription.credit if owes else 0
    due_now = WhatIsDue(subscription.plan, codes, credit, subscription.carried, part)
    priced = price_due(subscription, due_now, policy, tax_id, at)
    priced = priced._replace(charge=price_left(priced.charge, priced.lines, priced.terms))
    due = retry_of(subscription) if owes else None
    order = ChargeOrder(
        charge_type=None if due is None else due.charge_type,
        plan=subscription.plan,
        priced=priced,
        period=None if due is None else due.period,
        number=subscription.number if due is None else due.number,
        credit_use=priced.charge.credit_use,
        payment_method_id=None,
        metadata=subscription.metadata,
        factor="1" if arrears is None else arrears.factor,
        retry_attempt=0 if due is None else due.retry_attempt,
        is_manual=True,
        replaces_method=True,
        link_lifetime=timedelta(minutes=policy.settings.link_ttl_minutes),
        return_url=update.return_url,
        allowed_types=tuple(sorted(allowed)),
        action=CHANGED_METHOD,
    )
    return await place_charge(runtime, subscription, order, tax_id, at)
