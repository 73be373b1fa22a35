"""What PATCH /subscriptions/{id} may change, and what it makes of the subscription."""

from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from nicobar.core.customers.buyer import Address
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.calendar import Interval, Span, after
from nicobar.core.subscriptions.lifecycle import cancel, close_link, move_next_date, pause, resume, term_end
from nicobar.core.subscriptions.subscription import (
    FINAL,
    CancelledBy,
    Feedback,
    Moved,
    Subscription,
    SubscriptionEventType,
    moved,
)

TOLERANCE: Final = timedelta(minutes=5)
"""How far in the past a new billing date may lie in test mode: the documented way to try a renewal is "now"."""

_LONGEST_TERM: Final = Span(20, "Year")


class SubscriptionChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change; everything that is left out stays as it is."""

    billing: Address | UnsetType = UNSET
    customer_name: str | UnsetType = UNSET
    customer_business_name: str | UnsetType | None = UNSET
    tax_id: str | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    """Replaces all pairs."""
    next_billing_date: datetime | UnsetType = UNSET
    term_count: int | UnsetType = UNSET
    term_interval: Interval | UnsetType = UNSET
    first_billing_date: datetime | UnsetType = UNSET
    """Turns an on-demand subscription into one that is charged by its dates, from then on."""
    cancel_at_next_billing_date: bool | UnsetType = UNSET
    feedback: Feedback | UnsetType = UNSET
    comment: str | UnsetType = UNSET
    status: Literal["cancelled", "paused", "active"] | UnsetType = UNSET

    def given(self) -> set[str]:
        """Return the names of what is changed."""
        return {name for name in self.__struct_fields__ if getattr(self, name) is not UNSET}


def check_change(change: SubscriptionChange) -> None:
    """Refuse what contradicts itself. Raises Problem INVALID_REQUEST_PARAMETERS."""
    given = change.given()
    if change.status == "paused" and given != {"status"}:
        raise _contradiction("status", "To pause, status has to be the only field")
    if change.status == "active" and not given <= {"status", "cancel_at_next_billing_date"}:
        detail = "To resume, nothing but status and cancel_at_next_billing_date can be sent"
        raise _contradiction("status", detail)
    cancels = change.status == "cancelled" or change.cancel_at_next_billing_date is True
    if {"feedback", "comment"} & given and not cancels:
        raise _contradiction("cancellation_feedback", "Feedback belongs to a cancellation")
    if change.term_interval is not UNSET and change.term_count is UNSET:
        raise _contradiction("subscription_period_interval", "It needs subscription_period_count")


def changed(subscription: Subscription, change: SubscriptionChange, at: datetime, by: CancelledBy) -> Moved:
    """Return the subscription with the change; `tax_id` and `customer_name` were checked before.

    Raises Problem SUBSCRIPTION_INACTIVE for what has ended, PREVIOUS_PAYMENT_PENDING for dates
    while a charge is open and for the end while one is under way,
    the refusals of pausing and resuming, SUBSCRIPTION_NOT_ON_DEMAND, and INVALID_REQUEST_PARAMETERS for dates.
    """
    if subscription.status in FINAL:
        if subscription.status == "cancelled" and change.status == "cancelled":
            return Moved(subscription)
        if change.status == "paused":
            raise Problem("SUBSCRIPTION_NOT_ELIGIBLE_FOR_PAUSE")
        raise Problem("SUBSCRIPTION_INACTIVE")
    if change.status == "paused":
        return _paused(subscription, at)
    if change.status == "active" and not (subscription.status == "active" and change.given() != {"status"}):
        resumed = _resumed(subscription, at)
        ended = _with_end(resumed.subscription, change, at, by)
        return Moved(ended.subscription, tuple(dict.fromkeys((*resumed.events, *ended.events))))
    events: list[SubscriptionEventType] = []
    for step in (_with_fields, _with_dates, _with_term, _with_end):
        result = step(subscription, change, at, by)
        subscription, events = result.subscription, [*events, *result.events]
    told = dict.fromkeys(events)
    if "subscription.updated" in told and "subscription.cancelled" in told:
        del told["subscription.updated"]
    return Moved(subscription, tuple(told))


def _paused(subscription: Subscription, at: datetime) -> Moved:
    if subscription.status == "paused":
        raise Problem("SUBSCRIPTION_ALREADY_PAUSED")
    if subscription.status != "active" or subscription.open_charge is not None:
        raise Problem("SUBSCRIPTION_NOT_ELIGIBLE_FOR_PAUSE")
    return pause(subscription, at)


def _resumed(subscription: Subscription, at: datetime) -> Moved:
    if subscription.status != "paused":
        raise Problem("SUBSCRIPTION_NOT_PAUSED")
    return resume(subscription, at)


def _with_fields(subscription: Subscription, change: SubscriptionChange, at: datetime, _by: CancelledBy) -> Moved:
    values: dict[str, Any] = {}
    for name in ("billing", "customer_business_name", "tax_id", "metadata"):
        if getattr(change, name) is not UNSET:
            values[name] = getattr(change, name)
    if change.customer_name is not UNSET:
        values["customer"] = msgspec.structs.replace(subscription.customer, name=change.customer_name)
    if not values:
        return Moved(subscription)
    return moved(subscription, subscription.status, at, "subscription.updated", **values)


def _with_dates(subscription: Subscription, change: SubscriptionChange, at: datetime, _by: CancelledBy) -> Moved:
    first, following = change.first_billing_date, change.next_billing_date
    if first is not UNSET and not subscription.on_demand:
        raise Problem("SUBSCRIPTION_NOT_ON_DEMAND")
    wanted = first if first is not UNSET else following
    if wanted is UNSET:
        return Moved(subscription)
    if subscription.open_charge is not None:
        raise Problem("PREVIOUS_PAYMENT_PENDING")
    if subscription.status not in ("active", "past_due", "on_hold"):
        raise Problem("SUBSCRIPTION_INACTIVE")
    earliest = at - TOLERANCE if subscription.mode == "test" else at
    if wanted < earliest:
        raise _contradiction("next_billing_date", "Cannot change next_billing_date to past time")
    if wanted <= subscription.previous_billing_date:
        wanted = at  # tolerated as now: a period that is paid cannot be followed by one that begins before it
    if wanted <= subscription.previous_billing_date:
        raise _contradiction("next_billing_date", "The period that is paid begins at that very moment")
    if subscription.expires_at is not None and wanted > subscription.expires_at:
        raise _contradiction("next_billing_date", "The subscription ends before that")
    result = move_next_date(subscription, wanted, at)
    if first is UNSET:
        return result
    # What was charged on demand paid for no period: a plan change gives nothing of it back.
    return Moved(msgspec.structs.replace(result.subscription, on_demand=False, period_price=0), result.events)


def _with_term(subscription: Subscription, change: SubscriptionChange, at: datetime, _by: CancelledBy) -> Moved:
    if change.term_count is UNSET:
        return Moved(subscription)
    own = subscription.plan.term
    interval = own.interval if change.term_interval is UNSET else change.term_interval
    term, start = Span(change.term_count, interval), subscription.created_at
    try:
        fits = after(start, own) <= after(start, term) <= after(start, _LONGEST_TERM)
    except (OverflowError, ValueError):
        fits = False
    if not fits:
        detail = "A term can only be extended, to at most 20 years"
        raise _contradiction("subscription_period_count", detail)
    ends = None if subscription.expires_at is None else term_end(subscription, term)
    plan = msgspec.structs.replace(subscription.plan, term=term)
    return moved(subscription, subscription.status, at, "subscription.updated", plan=plan, expires_at=ends)


def _with_end(subscription: Subscription, change: SubscriptionChange, at: datetime, by: CancelledBy) -> Moved:
    feedback = None if change.feedback is UNSET else change.feedback
    comment = None if change.comment is UNSET else change.comment
    if change.status == "cancelled":
        if subscription.status == "pending":
            raise Problem("SUBSCRIPTION_INACTIVE")
        opened = subscription.open_charge
        if opened is not None and opened.link_until is None:
            raise Problem("PREVIOUS_PAYMENT_PENDING")  # it may be paid yet, for something that would have ended
        if opened is not None:
            subscription = close_link(subscription, at).subscription
        return cancel(subscription, at, by, feedback, comment)
    if change.cancel_at_next_billing_date is UNSET:
        return Moved(subscription)
    scheduled = change.cancel_at_next_billing_date
    if subscription.status == "pending":
        raise Problem("SUBSCRIPTION_INACTIVE")
    if scheduled == subscription.cancel_at_next_billing_date:
        if feedback is None and comment is None:
            return Moved(subscription)
        by = subscription.cancelled_by or by  # who said why later did not schedule it
        feedback = feedback or subscription.cancellation_feedback
        comment = comment or subscription.cancellation_comment
    return moved(
        subscription,
        subscription.status,
        at,
        "subscription.updated",
        cancel_at_next_billing_date=scheduled,
        cancelled_by=by if scheduled else None,
        cancellation_feedback=feedback if scheduled else None,
        cancellation_comment=comment if scheduled else None,
        scheduled_change=None if scheduled else subscription.scheduled_change,
    )


def _contradiction(path: str, detail: str) -> Problem:
    return Problem("INVALID_REQUEST_PARAMETERS", path=path, detail=detail)
