"""What a subscription is due for at a moment, and when it is due next."""

from datetime import datetime
from typing import Literal, NamedTuple

from nicobar.core.payments.payment import ChargeType
from nicobar.core.subscriptions.calendar import ServicePeriod, after
from nicobar.core.subscriptions.subscription import PlanChange, Subscription


class ChargeDue(NamedTuple):
    """A charge to make."""

    charge_type: ChargeType
    period: ServicePeriod
    number: int
    """The number of the due date at which the period begins."""
    change: PlanChange | None = None
    """The scheduled change that it pays for."""
    retry_attempt: int = 0


DueStep = Literal["give_up", "cancel", "expire", "end_grace", "close_link"] | ChargeDue
"""What happens next."""


def next_step(subscription: Subscription, at: datetime) -> DueStep | None:
    """Return what is due at `at`, or None.

    At a due date the order is: scheduled cancellation, end of the term, scheduled plan change, renewal (contract,
    "Dates and billing cycles", 6). While a charge is open nothing else happens, except that a grace period is no longer
    for a link.
    """
    charge = subscription.open_charge
    if charge is not None:
        return None if charge.link_until is None else _linked(subscription, charge.link_until, at)
    match subscription.status:
        case "pending":
            return "give_up" if at >= subscription.pending_until else None
        case "active":
            return _due_date(subscription, at)
        case "past_due" | "on_hold":
            return _owed(subscription, at)
        case _:
            return None


def is_over(subscription: Subscription, at: datetime) -> bool:
    """Return whether the term has ended, which the worker may not have come to yet."""
    return next_step(subscription, at) == "expire"


def _linked(subscription: Subscription, link_until: datetime, at: datetime) -> DueStep | None:
    if at >= link_until:
        return "close_link"
    ends = subscription.past_due_ends_at
    return "end_grace" if ends is not None and at >= ends else None


def _due_date(subscription: Subscription, at: datetime) -> DueStep | None:
    due, ends = subscription.next_billing_date, subscription.expires_at
    if subscription.on_demand:
        if subscription.cancel_at_next_billing_date and at >= due:
            return "cancel"
        return "expire" if ends is not None and at >= ends else None
    if at < due:
        return None
    if subscription.cancel_at_next_billing_date:
        return "cancel"
    if ends is not None and due >= ends:
        return "expire"
    change = subscription.scheduled_change
    number = subscription.number
    if change is not None and change.plan.frequency != subscription.plan.frequency:
        period = ServicePeriod(due, after(due, change.plan.frequency))
    else:
        period = ServicePeriod(due, after(subscription.anchor, subscription.plan.frequency, number + 1))
    return ChargeDue("renewal" if change is None else "plan_change", period, number, change)


def _owed(subscription: Subscription, at: datetime) -> DueStep | None:
    arrears = subscription.arrears
    if subscription.cancel_at_next_billing_date and at >= subscription.next_billing_date:
        return "cancel"
    if subscription.status == "past_due":
        ends = subscription.past_due_ends_at
        if ends is not None and at >= ends:
            return "end_grace"
    if arrears is None or arrears.next_retry_at is None or at < arrears.next_retry_at:
        return None
    return retry_of(subscription)


def retry_of(subscription: Subscription) -> ChargeDue:
    """Return the charge that tries once more what is owed. Raises ValueError when nothing is."""
    arrears = subscription.arrears
    if arrears is None:
        raise ValueError(f"{subscription.subscription_id} owes nothing")
    return ChargeDue(arrears.charge_type, arrears.period, arrears.number, None, arrears.tries + 1)


def wake_at(subscription: Subscription) -> datetime | None:
    """Return when something is due next; None for never, or for when the open charge has ended.

    A charge with a link is looked at when the link ends, or the grace period.
    """
    if subscription.open_charge is not None:
        until, grace = subscription.open_charge.link_until, subscription.past_due_ends_at
        return until if until is None or grace is None else min(until, grace)
    match subscription.status:
        case "pending":
            return subscription.pending_until
        case "active":
            moments = [None if subscription.on_demand else subscription.next_billing_date]
            if subscription.on_demand:
                moments.append(subscription.expires_at)
        case "past_due" | "on_hold":
            moments = [
                subscription.past_due_ends_at,
                None if subscription.arrears is None else subscription.arrears.next_retry_at,
            ]
        case _:
            return None
    if subscription.cancel_at_next_billing_date:
        moments.append(subscription.next_billing_date)
    return min((moment for moment in moments if moment is not None), default=None)
