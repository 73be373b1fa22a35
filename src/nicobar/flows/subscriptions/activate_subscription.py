"""Begin the life of a subscription whose first payment succeeded, as that payment was made."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
import structlog

from nicobar.core.discounts.discounts import keep_terms
from nicobar.core.payments.payment import Payment
from nicobar.core.pricing.policy import Policy
from nicobar.core.pricing.pricing import recompute
from nicobar.core.pricing.quote import CartLine, QuoteInputs
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.charges import net_prices
from nicobar.core.subscriptions.lifecycle import activate
from nicobar.core.subscriptions.plan import RunningCode
from nicobar.core.subscriptions.subscription import Moved, Subscription
from nicobar.core.subscriptions.tax_basis import counted_otherwise
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.plans.plan_lines import plan_lines
from nicobar.flows.plans.price_due import WhatIsDue, price_due
from nicobar.flows.runtime import Runtime
from nicobar.reference import currencies

_log = structlog.get_logger(__name__)


async def activate_subscription(
    runtime: Runtime,
    subscription: Subscription,
    payment: Payment,
    inputs: QuoteInputs,
    own_codes: Collection[str] | None,
    first_line: int,
    at: datetime,
) -> Moved:
    """Return the subscription as it begins.

    Until it was paid, the customer may have changed the address, and with it the currency, the market and the codes:
    what was paid is what was agreed on. `own_codes` are the discounts of which the payment has a use; None stands for
    all. `first_line` is its line at which the plan begins.
    """
    policy = await load_policy(runtime, subscription.tenant)
    settings = policy.settings
    country, moved = payment.billing.country, payment.billing.country != subscription.market
    paid = msgspec.structs.replace(
        subscription,
        currency=payment.currency,
        market=country,
        purchasing_power_percent=settings.purchasing_power_percent(country)
        if moved
        else subscription.purchasing_power_percent,
        customer=payment.customer,
        billing=payment.billing,
        tax_id=payment.options.tax_id,
        customer_business_name=payment.options.customer_business_name,
        codes=_codes(subscription, payment, inputs, own_codes, policy),
    )
    end = first_line + len(paid.plan.lines)
    own, nets = inputs.lines[first_line:end], [line.net for line in recompute(inputs).lines[first_line:end]]
    price = sum(nets)
    if paid.currency != subscription.currency or moved:
        lines = plan_lines(paid, paid.plan, policy, at.date(), None)
        recurring = _recurring(paid, lines, inputs, policy, at, price)
        inclusive = lines[0].tax_inclusive  # a localized price of the new market does not contain the tax
        paid = msgspec.structs.replace(paid, recurring_pre_tax_amount=recurring, tax_inclusive=inclusive)
    if own[0].tax_inclusive != paid.tax_inclusive:  # a trial's amount with the tax, before localized prices without it
        price = counted_otherwise(price, own, nets, tax_inclusive=paid.tax_inclusive)
    paid = msgspec.structs.replace(paid, period_price=price)
    method = payment.payment_method_id or payment.options.payment_method_id
    return activate(paid, method, at, charged=price > 0 and not paid.on_demand)


def _recurring(
    paid: Subscription, lines: Sequence[CartLine], inputs: QuoteInputs, policy: Policy, at: datetime, first: int
) -> int:
    """Return the net price of a cycle in the currency of the payment.

    A first charge on demand has a currency of its own, whose payment knows no rate from that of the plan: it takes that
    of the day. Money that was taken is recorded whatever is missing: without any rate it is `first`, what was paid.
    """
    charge = inputs.charge
    if not all(charge.converts(line.currency) for line in lines):
        try:
            charge = price_due(paid, WhatIsDue(paid.plan, (), 0), policy, None, at).terms
        except Problem as problem:
            _log.warning("recurring_price_unknown", subscription_id=paid.subscription_id, why=problem.code)
            return first
    return sum(net_prices(lines, charge, []))


def _codes(
    subscription: Subscription,
    payment: Payment,
    inputs: QuoteInputs,
    own_codes: Collection[str] | None,
    policy: Policy,
) -> tuple[RunningCode, ...]:
    """Return the codes with the terms of the payment; one that it lost is gone.

    A trial's payment has none of them: those of which it has a use are kept, in the currency that the customer chose
    since. Others went to a newer payment of the same customer.
    """
    if subscription.trial_period_days and not payment.options.discount_codes:
        kept = (subscription.currency, payment.currency, policy.rates, currencies.exponents())
        return tuple(
            msgspec.structs.replace(code, terms=keep_terms(code.terms, *kept))
            for code in subscription.codes
            if own_codes is None or code.terms.discount_id in own_codes
        )
    terms = {each.discount_id: each for each in inputs.codes}
    return tuple(
        msgspec.structs.replace(code, terms=terms[code.terms.discount_id])
        for code in subscription.codes
        if code.terms.discount_id in terms
    )
