"""Price what a subscription is charged: a cycle of its plan, a part of one, or an amount on demand. No I/O."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from nicobar.core.discounts.discounts import DiscountTerms
from nicobar.core.money.fx import ChargeTerms, charge_terms, settlement_currency
from nicobar.core.pricing.policy import Policy
from nicobar.core.pricing.pricing import check_minimum, check_step, with_fee
from nicobar.core.pricing.quote import CartLine
from nicobar.core.subscriptions.charges import PricedCharge, price_charge, price_cycle, price_part
from nicobar.core.subscriptions.plan import Plan
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.core.tax.tax_id import CheckedTaxId
from nicobar.flows.plans.plan_lines import plan_lines
from nicobar.reference import currencies
from nicobar.reference.charge_steps import charge_step


class WhatIsDue(NamedTuple):
    """What a charge is for."""

    plan: Plan
    codes: Sequence[DiscountTerms]
    """Those that the charge gets."""
    credit: int
    """What can be used up."""
    carried: int | None = None
    """What is carried on from earlier cycles. None for a charge that is no whole cycle: that is raised to the smallest
    charge, where a cycle is carried on."""
    part: int | None = None
    """A part of one cycle's price, in the subscription's currency; None for the whole."""
    fees_inclusive: bool | None = None
    """None means as the subscription was sold."""


class PricedDue(NamedTuple):
    """What is due with its amounts."""

    charge: PricedCharge
    lines: Sequence[CartLine]
    """One cycle of the plan, as it is charged that day."""
    terms: ChargeTerms


def price_due(
    subscription: Subscription, due: WhatIsDue, policy: Policy, tax_id: CheckedTaxId | None, at: datetime
) -> PricedDue:
    """Return the amounts with the taxes and exchange rates of the day, in the currency of the subscription.

    Raises Problem EXCHANGE_RATE_NOT_FOUND, INTEGER_CONVERSION_FAILURE or AMOUNT_NOT_CHARGEABLE.
    """
    settings, currency = policy.settings, subscription.currency
    lines = plan_lines(subscription, due.plan, policy, at.date(), tax_id)
    fees = subscription.fees_inclusive if due.fees_inclusive is None else due.fees_inclusive
    terms = charge_terms(
        currency,
        settlement_currency([line.price.currency for line in due.plan.lines], settings.default_currency),
        [line.currency for line in lines],
        policy.rates,
        currencies.exponents(),
        fees_inclusive=settings.fees_inclusive if fees is None else fees,
    )
    if settings.charm_kind is not None and settings.adaptive_pricing == "on":
        terms = msgspec.structs.replace(terms, charm=settings.charm_kind)
    if terms.conversions or terms.settlement is not None:
        terms = with_fee(lines, terms, due.codes, settings.fee_tiers, policy.rates, currencies.exponents())
    minimum = currencies.get(currency).minimum_minor
    if due.part is not None:
        charge = price_part(lines, terms, due.codes, due.part, due.credit, minimum)
    elif due.carried is not None:
        charge = price_cycle(lines, terms, due.codes, due.credit, minimum, due.carried)
    else:
        charge = price_charge(lines, terms, due.codes, due.credit, minimum)
    check_minimum(charge.quote, minimum, terms.exponent)
    check_step(charge.quote.total, currency, charge_step(policy.charging, currency), terms.exponent)
    return PricedDue(charge, lines, terms)
