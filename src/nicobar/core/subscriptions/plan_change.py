"""Changing the plan: what is refused, and what a change comes to. The preview and the change ask the same functions."""

from datetime import datetime
from typing import Literal

from nicobar.core.problems import Problem
from nicobar.core.subscriptions.calendar import ServicePeriod, after
from nicobar.core.subscriptions.plan import Plan, RunningCode
from nicobar.core.subscriptions.proration import Proration, ProrationMode, prorate, remaining
from nicobar.core.subscriptions.subscription import Subscription

EffectiveAt = Literal["immediately", "next_billing_date"]


def check_changeable(
    subscription: Subscription, mode: ProrationMode, effective_at: EffectiveAt, *, replaces_scheduled: bool
) -> None:
    """Refuse a plan change that the subscription does not allow now.

    Raises Problem INACTIVE_SUBSCRIPTION_PLAN_CHANGE_NOT_SUPPORTED, ON_DEMAND_PLAN_CHANGE_NOT_SUPPORTED,
    PLAN_CHANGE_NOT_ALLOWED_FOR_SCHEDULED_CANCELLATION, PENDING_PLAN_CHANGE_EXISTS, SCHEDULED_PLAN_CHANGE_EXISTS,
    INVALID_PRORATION_MODE_WITH_NEXT_BILLING_DATE or PREVIOUS_PAYMENT_PENDING.
    """
    if subscription.status != "active":
        raise Problem("INACTIVE_SUBSCRIPTION_PLAN_CHANGE_NOT_SUPPORTED")
    if subscription.on_demand:
        raise Problem("ON_DEMAND_PLAN_CHANGE_NOT_SUPPORTED")
    if subscription.cancel_at_next_billing_date:
        raise Problem("PLAN_CHANGE_NOT_ALLOWED_FOR_SCHEDULED_CANCELLATION")
    charge = subscription.open_charge
    if charge is not None:
        raise Problem("PENDING_PLAN_CHANGE_EXISTS" if charge.change is not None else "PREVIOUS_PAYMENT_PENDING")
    if subscription.scheduled_change is not None and not replaces_scheduled:
        raise Problem("SCHEDULED_PLAN_CHANGE_EXISTS")
    if effective_at == "next_billing_date" and mode != "full_immediately":
        raise Problem("INVALID_PRORATION_MODE_WITH_NEXT_BILLING_DATE")


def kept_codes(codes: tuple[RunningCode, ...], plan: Plan) -> tuple[RunningCode, ...]:
    """Return the codes that stay with a subscription on a new plan: they say so, and cover something of it."""
    ids = [line.sold.product_id for line in plan.lines]
    return tuple(
        code for code in codes if code.preserve_on_plan_change and any(code.terms.covers(each) for each in ids)
    )


def change_cost(subscription: Subscription, mode: ProrationMode, plan: Plan, price: int, at: datetime) -> Proration:
    """Return what changing to `plan` costs at `at`; `price` is a whole period of it after codes.

    Whatever ends a trial or changes the billing interval begins a new cycle (corrections, "cycle on plan change").

    Raises Problem PREVIOUS_PAYMENT_PENDING for a price of the current period when that is over and its renewal has not
    been charged yet: nothing is left of it to be paid for.
    """
    left = remaining(subscription.period, subscription.paused_seconds, at)
    restarts = subscription.in_trial or plan.frequency != subscription.plan.frequency
    cost = prorate(mode, subscription.period_price, price, left, restarts=restarts)
    if cost.price and not cost.restarts and at >= subscription.next_billing_date:
        raise Problem("PREVIOUS_PAYMENT_PENDING")
    return cost


def changed_period(subscription: Subscription, plan: Plan, cost: Proration, at: datetime) -> ServicePeriod:
    """Return what the charge of a change pays for: from the change to the next billing date."""
    return ServicePeriod(at, after(at, plan.frequency) if cost.restarts else subscription.next_billing_date)
