"""Begin the life of a subscription whose first payment succeeded, as that payment was made."""

from datetime import datetime

import msgspec

from nicobar.core.discounts.discounts import keep_terms
from nicobar.core.payments.payment import Payment
from nicobar.core.pricing.policy import Policy
from nicobar.core.pricing.pricing import recompute
from nicobar.core.pricing.quote import QuoteInputs
from nicobar.core.subscriptions.charges import net_prices
from nicobar.core.subscriptions.lifecycle import activate
from nicobar.core.subscriptions.plan import RunningCode
from nicobar.core.subscriptions.subscription import Moved, Subscription
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.plans.plan_lines import plan_lines
from nicobar.flows.runtime import Runtime
from nicobar.reference import currencies


async def activate_subscription(
    runtime: Runtime, subscription: Subscription, payment: Payment, inputs: QuoteInputs, first_line: int, at: datetime
) -> Moved:
    """Return the subscription as it begins.

    Until it was paid, the customer may have changed the address, and with it the currency, the market and the codes:
    what was paid is what was agreed on. `first_line` is the line of the payment at which the plan begins.
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
        codes=_codes(subscription, payment, inputs, policy),
    )
    count = len(paid.plan.lines)
    first = recompute(inputs).lines[first_line : first_line + count]
    if paid.currency != subscription.currency or moved:
        lines = plan_lines(paid, paid.plan, policy, at.date(), None)
        recurring = sum(net_prices(lines, inputs.charge, []))
        paid = msgspec.structs.replace(paid, recurring_pre_tax_amount=recurring)
    paid = msgspec.structs.replace(paid, period_price=sum(line.net for line in first))
    method = payment.payment_method_id or payment.options.payment_method_id
    return activate(paid, method, at, charged=payment.total_amount > 0)


def _codes(
    subscription: Subscription, payment: Payment, inputs: QuoteInputs, policy: Policy
) -> tuple[RunningCode, ...]:
    """Return the codes with the terms of the payment; one that it lost is gone.

    A trial's payment has none of them: they are kept, in the currency that the customer chose since.
    """
    if subscription.trial_period_days and not payment.options.discount_codes:
        kept = (subscription.currency, payment.currency, policy.rates, currencies.exponents())
        return tuple(msgspec.structs.replace(code, terms=keep_terms(code.terms, *kept)) for code in subscription.codes)
    terms = {each.discount_id: each for each in inputs.codes}
    return tuple(
        msgspec.structs.replace(code, terms=terms[code.terms.discount_id])
        for code in subscription.codes
        if code.terms.discount_id in terms
    )
