"""The lines of a plan as they are charged on a day: the prices that were agreed on, with that day's taxes. No I/O."""

from datetime import date

from nicobar.core.pricing.cart import Pricing, price_lines
from nicobar.core.pricing.policy import Policy
from nicobar.core.pricing.quote import CartLine
from nicobar.core.subscriptions.plan import Plan
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.core.tax.tax_id import CheckedTaxId
from nicobar.flows.pricing.decide_taxes import decide_taxes


def plan_lines(
    subscription: Subscription, plan: Plan, policy: Policy, day: date, tax_id: CheckedTaxId | None
) -> list[CartLine]:
    """Return the lines of one cycle of `plan`, in the market and the currency of the subscription."""
    taxes = decide_taxes({line.tax_category for line in plan.lines}, subscription.billing, policy, day, tax_id)
    pricing = Pricing(
        country=subscription.market,
        currency=subscription.currency,
        taxes=taxes,
        localized=plan.localized(),
        purchasing_power_percent=subscription.purchasing_power_percent,
        default_tax_inclusive=policy.settings.default_tax_inclusive,
    )
    return price_lines(plan.items(), plan.products(subscription.brand_id), pricing)
