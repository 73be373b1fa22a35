"""Foresee what the subscriptions of a first payment will cost later, if it is paid now."""

from collections.abc import Collection, Sequence
from contextlib import suppress

import msgspec

from nicobar.core.discounts.discounts import DiscountTerms
from nicobar.core.money.fx import ChargeTerms
from nicobar.core.payments.payment import Payment
from nicobar.core.pricing.policy import Policy
from nicobar.core.pricing.pricing import recompute, with_fee
from nicobar.core.pricing.quote import CartLine, Quote, QuoteInputs
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.charges import price_charge
from nicobar.core.subscriptions.plan import working_terms
from nicobar.core.subscriptions.renewal import Renewal
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.plans.plan_lines import plan_lines
from nicobar.flows.plans.price_due import WhatIsDue, price_due
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.activate_subscription import activate_subscription
from nicobar.reference import currencies


async def foresee_renewals(
    runtime: Runtime,
    payment: Payment,
    inputs: QuoteInputs,
    subscriptions: Sequence[Subscription],
    own_codes: Collection[str] | None = None,
) -> list[Renewal]:
    """Return what comes next, in the order of the subscriptions.

    Nothing is foreseen of one that will not be renewed, that has another plan than the one that was paid, by now or
    from its next date on, or whose renewal cannot be priced today, for want of an exchange rate: that keeps nobody from
    paying, or from a receipt. `own_codes` are the discounts of which the payment has a use; None stands for all, while
    nobody has stored it. `inputs` are those of the payment, whose exchange rates and tax rates are used: a renewal
    takes those of its day.
    """
    at, found, line = runtime.now(payment.tenant), [], 0
    for subscription in subscriptions:
        own, ids = subscription, [each.sold.product_id for each in subscription.plan.lines]
        paid_ids = [each.product_id for each in inputs.lines[line : line + len(ids)]]
        is_paid = paid_ids == ids and own.scheduled_change is None
        with suppress(Problem):
            if is_paid and own.status == "pending":
                own = (await activate_subscription(runtime, own, payment, inputs, own_codes, line, at)).subscription
            if is_paid and own.status == "active" and not own.cancel_at_next_billing_date:
                found.append(await _renewal(runtime, own, inputs, line))
        line += len(ids)
    return found


async def _renewal(runtime: Runtime, subscription: Subscription, inputs: QuoteInputs, line: int) -> Renewal:
    policy, plan = await load_policy(runtime, subscription.tenant), subscription.plan
    day = inputs.tax_date or subscription.created_at.date()
    paid = inputs.lines[line : line + len(plan.lines)]
    lines = [
        msgspec.structs.replace(each, tax_rate_ppm=own.tax_rate_ppm)
        for each, own in zip(plan_lines(subscription, plan, policy, day, None), paid, strict=True)
    ]
    charge = inputs.charge
    if not all(charge.converts(each.currency) for each in lines):
        due = WhatIsDue(plan, working_terms(subscription.codes), 0)  # a first charge on demand has its own currency
        charge = price_due(subscription, due, policy, None, subscription.previous_billing_date).terms
    priced = _priced(lines, charge, working_terms(subscription.codes), subscription.credit, policy)
    lasting = [code.terms for code in subscription.codes if code.cycles_remaining is None]
    later = _priced(lines, charge, lasting, 0, policy).total
    ends = subscription.expires_at
    return Renewal(
        name=plan.product.name,
        currency=subscription.currency,
        quote=priced,
        later_amount=None if later == priced.total else later,
        cycle=plan.frequency,
        at=subscription.next_billing_date,
        in_trial=subscription.in_trial,
        paid_trial=recompute(inputs).lines[line].net > 0,  # codes may have come and gone since it was created
        on_demand=subscription.on_demand,
        ends=ends is not None and ends <= subscription.next_billing_date,
    )


def _priced(
    lines: Sequence[CartLine], terms: ChargeTerms, codes: Sequence[DiscountTerms], credit: int, policy: Policy
) -> Quote:
    """Return what a renewal costs; its fee for conversion is decided by that, as it will be then.

    That of a cycle which is too small to be charged by itself, and is charged with a later one, is told all the same.
    """
    if terms.conversions or terms.settlement is not None:
        terms = with_fee(lines, terms, codes, policy.settings.fee_tiers, policy.rates, currencies.exponents())
    minimum = currencies.get(terms.currency).minimum_minor
    itself = price_charge(lines, terms, codes, 0, 0).quote
    return itself if itself.total < minimum else price_charge(lines, terms, codes, credit, minimum).quote
