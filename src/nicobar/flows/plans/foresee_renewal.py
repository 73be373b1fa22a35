"""Foresee what becomes of an active subscription at its next date, by what is known today."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from nicobar.core.problems import Problem
from nicobar.core.subscriptions.due import ChargeDue, next_step
from nicobar.core.subscriptions.plan import working_terms
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.core.tax.tax_id import CheckedTaxId
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.plans.count_otherwise import count_otherwise
from nicobar.flows.plans.price_due import WhatIsDue, price_due
from nicobar.flows.runtime import Runtime
from nicobar.flows.tax.check_tax_id import check_tax_id


class Foreseen(NamedTuple):
    """What happens at the next date."""

    at: datetime
    ends: bool
    """Whether it is the end of the subscription."""
    total: int | None
    """What the renewal costs with the taxes and rates of today, in minor units of the subscription's currency; None
    for an end, and where it cannot be computed today."""


async def foresee_renewal(runtime: Runtime, subscription: Subscription) -> Foreseen | None:
    """Return it; None for a subscription that is not active, or that nothing happens to by itself.

    Nobody is asked for it: a tax id counts when its form is good, whatever a register would say at the renewal.
    """
    at = subscription.next_billing_date
    if subscription.status != "active" or subscription.open_charge is not None:
        return None
    step = next_step(subscription, at)
    if step is None:
        return None
    if not isinstance(step, ChargeDue):
        return Foreseen(at, ends=True, total=None)
    policy = await load_policy(runtime, subscription.tenant)
    change = step.change
    plan = subscription.plan if change is None else change.plan
    codes = working_terms(subscription.codes if change is None else change.codes)
    inclusive = subscription.tax_inclusive if change is None else change.tax_inclusive
    try:
        tax_id: CheckedTaxId | None = None
        if subscription.tax_id is not None:
            settings = msgspec.structs.replace(policy.settings, tax_id_check="offline")
            tax_id = await check_tax_id(runtime, subscription.billing.country, subscription.tax_id, settings)
        amounts = (subscription.credit, subscription.carried)
        credit, carried = count_otherwise(subscription, amounts, policy, tax_id, at, tax_inclusive=inclusive)
        total = price_due(subscription, WhatIsDue(plan, codes, credit, carried), policy, tax_id, at).charge.quote.total
    except Problem:
        return Foreseen(at, ends=False, total=None)
    return Foreseen(at, ends=False, total=total)
