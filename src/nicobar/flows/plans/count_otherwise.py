"""Count amounts of a subscription as the prices of its next plan are: with the tax, or before it. No I/O."""

from collections.abc import Sequence
from datetime import datetime

from nicobar.core.pricing.policy import Policy
from nicobar.core.subscriptions.charges import net_prices
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.core.subscriptions.tax_basis import counted_otherwise
from nicobar.core.tax.tax_id import CheckedTaxId
from nicobar.flows.plans.price_due import WhatIsDue, price_due


def count_otherwise(
    subscription: Subscription,
    amounts: Sequence[int],
    policy: Policy,
    tax_id: CheckedTaxId | None,
    at: datetime,
    *,
    tax_inclusive: bool,
) -> list[int]:
    """Return the amounts as a plan counts them whose prices contain the tax, or do not; with the taxes of the day.

    They stay as they are where the subscription's own prices are of that kind. Raises Problem as `price_due` does.
    """
    if tax_inclusive == subscription.tax_inclusive or not any(amounts):
        return list(amounts)
    own = price_due(subscription, WhatIsDue(subscription.plan, (), 0), policy, tax_id, at)
    nets = net_prices(own.lines, own.terms, ())
    return [counted_otherwise(amount, own.lines, nets, tax_inclusive=tax_inclusive) for amount in amounts]
