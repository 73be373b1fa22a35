"""Decide what a plan change comes to: the one function behind preview and change, so that they cannot differ."""

from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET

from nicobar.core.discounts.discounts import normalise_code
from nicobar.core.pricing.policy import Policy
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.charges import net_prices
from nicobar.core.subscriptions.due import is_over
from nicobar.core.subscriptions.lifecycle import apply_change
from nicobar.core.subscriptions.plan import Plan, RunningCode, working_terms
from nicobar.core.subscriptions.plan_change import change_cost, changed_period, check_changeable, kept_codes
from nicobar.core.subscriptions.plan_change_request import PlanChangeRequest
from nicobar.core.subscriptions.proration import WHOLE, Proration, prorate
from nicobar.core.subscriptions.subscription import Moved, PlanChange, Subscription
from nicobar.core.tax.tax_id import CheckedTaxId
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.plans.build_plan import build_plan
from nicobar.flows.plans.check_tax_id_again import check_tax_id_again
from nicobar.flows.plans.count_otherwise import count_otherwise
from nicobar.flows.plans.load_attached_addons import load_attached_addons
from nicobar.flows.plans.price_due import PricedDue, WhatIsDue, price_due
from nicobar.flows.plans.require_recurring import require_recurring
from nicobar.flows.refunds.load_given_back import load_given_back
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.place_charge import ChargeOrder
from nicobar.storage.catalog.localized_prices import load_localized_prices
from nicobar.storage.pricing.cart import CartLookup, load_cart_facts
from nicobar.storage.subscriptions.charges import free_moment

CHANGED_PLAN: Final = "subscription.change_plan"
"""What the audit log calls a plan change."""


class DecidedChange(NamedTuple):
    """What a plan change comes to."""

    change: PlanChange
    cost: Proration
    order: ChargeOrder
    """The charge, which is placed if something is due."""
    tax_id: CheckedTaxId | None
    scheduled: bool

    def after(self, subscription: Subscription, at: datetime) -> Moved:
        """Return the subscription on its new plan, with its credit as if the charge were paid."""
        moves = self.order.credit_use.movement + self.order.credit_otherwise
        carried = subscription.carried + self.order.carried_otherwise
        credited = msgspec.structs.replace(subscription, credit=subscription.credit + moves, carried=carried)
        begins = at if self.order.period is None else max(at, self.order.period.starts_at)
        return apply_change(credited, self.change, self.order.priced.charge.price, begins)


async def decide_plan_change(
    runtime: Runtime, subscription: Subscription, request: PlanChangeRequest, at: datetime
) -> DecidedChange:
    """Return the change with its charge. Nothing is written.

    Raises Problem as `check_changeable` does, also when the term is over, UNSUPPORTED_ACTION for a link, what
    `require_recurring` refuses, BRAND_MISMATCH, UNSUPPORTED_CURRENCY, what `build_plan` refuses, UNSUPPORTED_ACTION for
    codes that the subscription does not have, DISCOUNT_NOT_APPLICABLE_TO_NEW_PRODUCT, and what `change_cost` and
    `price_due` refuse.
    """
    scheduled = request.effective_at == "next_billing_date"
    if is_over(subscription, at):
        raise Problem("INACTIVE_SUBSCRIPTION_PLAN_CHANGE_NOT_SUPPORTED")
    check_changeable(subscription, request.mode, request.effective_at, replaces_scheduled=request.replaces_scheduled)
    if request.collect_via_link:
        detail = "Plan changes are charged to the stored method; this business has no links for them"
        raise Problem("UNSUPPORTED_ACTION", detail=detail, path="collect_via_payment_link")
    policy = await load_policy(runtime, subscription.tenant)
    plan = await _plan(runtime, subscription, request, policy)
    codes = _codes(subscription, request, plan)
    tax_id = await check_tax_id_again(runtime, subscription, policy)
    terms = working_terms(codes)
    a_cycle = WhatIsDue(plan, terms, 0, fees_inclusive=request.fees_inclusive)
    whole = price_due(subscription, a_cycle, policy, tax_id, at)
    inclusive, gone = whole.lines[0].tax_inclusive, None
    amounts = (subscription.period_price, subscription.credit, subscription.carried)
    paid, credit, carried = count_otherwise(subscription, amounts, policy, tax_id, at, tax_inclusive=inclusive)
    if scheduled:
        cost = prorate("full_immediately", paid, whole.charge.price, WHOLE, restarts=True)
    else:
        async with runtime.database.snapshot() as read:
            gone = await load_given_back(read, subscription, tax_inclusive=inclusive)
        kept = msgspec.structs.replace(subscription, period_price=max(0, paid - gone))
        cost = change_cost(kept, request.mode, plan, whole.charge.price, at)
    due = WhatIsDue(plan, terms, credit + cost.credit, None, cost.price, request.fees_inclusive)
    priced = price_due(subscription, due, policy, tax_id, at)
    if priced.charge.quote.total == 0 or not cost.restarts:
        # The next change looks at the same charges again, and what went back is counted by this one already: no more
        # than there was to count, or money that comes back would become credit that nobody ever paid.
        cost = cost._replace(period_price=cost.period_price + min(gone or 0, paid))
    change = PlanChange(
        change_id=runtime.new_id("spc", at),
        plan=plan,
        codes=codes,
        recurring_pre_tax_amount=sum(net_prices(whole.lines, whole.terms, [])),
        tax_inclusive=inclusive,
        on_failure=request.on_failure or policy.settings.plan_change_failure,
        metadata=subscription.metadata if request.metadata is None else request.metadata,
        created_at=at,
        proration=None if scheduled else cost,
    )
    async with runtime.database.read() as read:
        begins = await free_moment(read, subscription.tenant, subscription.subscription_id, at)
    order = _order(subscription, change, cost, priced, begins)
    order = order._replace(given_back=gone, credit_otherwise=credit - subscription.credit)
    order = order._replace(carried_otherwise=carried - subscription.carried)
    return DecidedChange(change, cost, order, tax_id, scheduled)


def _order(
    subscription: Subscription, change: PlanChange, cost: Proration, priced: PricedDue, begins: datetime
) -> ChargeOrder:
    use = priced.charge.credit_use
    return ChargeOrder(
        charge_type="plan_change",
        plan=change.plan,
        priced=priced,
        period=changed_period(subscription, change.plan, cost, begins),
        number=subscription.number,
        credit_use=use._replace(used=use.used - cost.credit),  # what the change gives back was no credit before
        payment_method_id=subscription.payment_method_id,
        metadata=change.metadata,
        change=change,
        factor=cost.share.ratio(),
        action=CHANGED_PLAN,
    )


async def _plan(runtime: Runtime, subscription: Subscription, request: PlanChangeRequest, policy: Policy) -> Plan:
    tenant = subscription.tenant
    buyer_id, ids = subscription.customer.customer_id, [request.product_id]
    async with runtime.database.snapshot() as read:
        (cart,) = await load_cart_facts(read, [CartLookup(tenant.business_id, tenant.mode, buyer_id, None, ids)])
        localized = await load_localized_prices(read, tenant, [request.product_id])
        addons = await load_attached_addons(read, tenant, request.product_id, request.addons)
    product, price = require_recurring(cart.products, request.product_id, "product_id")
    if product.brand_id != subscription.brand_id:
        raise Problem("BRAND_MISMATCH", path="product_id")
    if price.currency not in (subscription.currency, subscription.plan.product.price.currency):
        raise Problem("UNSUPPORTED_CURRENCY", detail=price.currency, path="product_id")
    prices = localized.get(request.product_id, ())
    inclusive = policy.settings.default_tax_inclusive
    return build_plan(product, price, request.quantity, request.addons, addons, prices, default_tax_inclusive=inclusive)


def _codes(subscription: Subscription, request: PlanChangeRequest, plan: Plan) -> tuple[RunningCode, ...]:
    """Return the codes from the change on. New ones cannot be added: their uses are counted by first payments."""
    if request.discount_codes is UNSET:
        return kept_codes(subscription.codes, plan)
    own = {code.terms.code: code for code in subscription.codes}
    found = []
    for index, text in enumerate(dict.fromkeys(normalise_code(code) for code in request.discount_codes)):
        path = f"discount_codes[{index}]"
        if text not in own:
            detail = f"A plan change cannot add a code: the subscription does not have {text}"
            raise Problem("UNSUPPORTED_ACTION", detail=detail, path=path)
        if not any(own[text].terms.covers(line.sold.product_id) for line in plan.lines):
            raise Problem("DISCOUNT_NOT_APPLICABLE_TO_NEW_PRODUCT", path=path)
        found.append(own[text])
    return tuple(found)
