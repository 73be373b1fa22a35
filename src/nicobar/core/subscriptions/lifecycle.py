"""The life of a subscription: what it becomes when something happens. No clock: the moment is an argument.

Every function returns the subscription as it is afterwards with what merchants are told, and writes nothing.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from nicobar.core.subscriptions.calendar import SECOND, ServicePeriod, Span, after, first_after
from nicobar.core.subscriptions.plan import after_a_cycle
from nicobar.core.subscriptions.retry_ladder import next_retry
from nicobar.core.subscriptions.subscription import (
    FINAL,
    UNPAID,
    Arrears,
    CancelledBy,
    Feedback,
    Moved,
    OpenCharge,
    PlanChange,
    Subscription,
    moved,
)


class RecoveryRules(NamedTuple):
    """What a business decided about failed renewals; the defaults are the contract's."""

    grace: timedelta = timedelta()
    """How long a subscription stays usable after a failed renewal; none: it is put on hold at once."""
    cancels: bool = False
    """Whether it is cancelled when that is over, instead of put on hold."""
    retry_window: timedelta = timedelta()
    """How long after the invoice the stored method is tried again by itself; none: never."""


def activate(subscription: Subscription, payment_method_id: str | None, at: datetime, *, charged: bool) -> Moved:
    """Begin the life of a subscription whose first payment succeeded; `charged`: whether it took money for a period.

    With a trial the first cycle and the term begin at its end.
    """
    frequency = subscription.plan.frequency
    trial = timedelta(days=subscription.trial_period_days)
    anchor, number = (at + trial, 0) if trial else (at, 1)
    next_date = after(anchor, frequency, number)
    counts = not trial and not subscription.on_demand  # a cycle that a code makes free is one that it lowers
    return moved(
        subscription,
        "active",
        at,
        "subscription.active",
        *(("subscription.renewed",) if charged else ()),
        payment_method_id=payment_method_id,
        anchor=anchor,
        number=number,
        previous_billing_date=at,
        next_billing_date=next_date,
        expires_at=after(anchor, subscription.plan.term),
        in_trial=bool(trial),
        codes=after_a_cycle(subscription.codes) if counts else subscription.codes,
    )


def give_up(subscription: Subscription, at: datetime) -> Moved:
    """End a subscription whose first payment did not happen."""
    return moved(subscription, "failed", at, "subscription.failed")


def open_charge(subscription: Subscription, charge: OpenCharge, at: datetime) -> Subscription:
    """Record that a charge has begun. Raises ValueError while another one is open."""
    if subscription.open_charge is not None:
        raise ValueError(f"{subscription.subscription_id} has an open charge")
    return moved(subscription, subscription.status, at, open_charge=charge).subscription


def charge_paid(subscription: Subscription, charge: OpenCharge, at: datetime) -> Moved:
    """Apply the success of the open charge: its period is paid, its plan change applied, what was owed is settled."""
    credit = subscription.credit + charge.credit_use.movement + charge.credit_otherwise
    carried = subscription.carried + charge.credit_use.carried + charge.carried_otherwise
    fields: dict[str, object] = {"open_charge": None, "credit": credit, "carried": carried}
    if charge.replaces_method or (charge.payment_method_id and not subscription.payment_method_id):
        fields["payment_method_id"] = charge.payment_method_id
    told = ("subscription.update_payment_method",) if charge.replaces_method else ()
    if charge.period is None or subscription.status in FINAL:
        return moved(subscription, subscription.status, at, *told, **fields)
    paid = moved(subscription, subscription.status, at, **fields).subscription
    if charge.charge_type == "plan_change":
        result = _plan_change_paid(paid, charge, at)
    else:
        result = _period_paid(paid, charge, at)
    return Moved(result.subscription, (*told, *result.events))


def _period_paid(subscription: Subscription, charge: OpenCharge, at: datetime) -> Moved:
    """Begin the period that was paid.

    What was paid late begins at the date that was missed all the same. Cycles that have ended meanwhile are skipped
    and not charged (contract, "Dates and billing cycles", 4); a renewal that only the worker was late for skips none.
    """
    assert charge.period is not None  # noqa: S101 - the caller asked
    frequency, number = subscription.plan.frequency, charge.number + 1
    scheduled = subscription.scheduled_change
    if scheduled is not None:  # the old plan went on once more, and its codes have a cycle less for the new one, too
        scheduled = msgspec.structs.replace(scheduled, codes=after_a_cycle(scheduled.codes))
    recovered = subscription.status in UNPAID
    if recovered:
        kept = after(subscription.anchor, frequency, charge.number) == charge.period.starts_at
        number = first_after(subscription.anchor, frequency, number if kept else 0, at)
    back = ("subscription.active",) if recovered else ()
    return moved(
        subscription,
        "active",
        at,
        *back,
        "subscription.renewed",
        "subscription.updated",
        number=number,
        previous_billing_date=charge.period.starts_at,
        next_billing_date=after(subscription.anchor, frequency, number),
        period_price=charge.price,
        paused_seconds=0,
        in_trial=False,
        codes=after_a_cycle(subscription.codes),
        scheduled_change=scheduled,
        arrears=None,
        past_due_ends_at=None,
    )


def _plan_change_paid(subscription: Subscription, charge: OpenCharge, at: datetime) -> Moved:
    if charge.change is not None:
        return apply_change(subscription, charge.change, charge.price, _not_before(charge, at))
    # What was owed of a change that was applied when its charge failed; the dates were set then.
    number = first_after(subscription.anchor, subscription.plan.frequency, subscription.number, at)
    return moved(
        subscription,
        "active",
        at,
        "subscription.active",
        "subscription.updated",
        number=number,
        next_billing_date=after(subscription.anchor, subscription.plan.frequency, number),
        arrears=None,
        past_due_ends_at=None,
    )


def apply_change(subscription: Subscription, change: PlanChange, price: int, at: datetime) -> Moved:
    """Put the subscription on its new plan; `price`, what the change costs before credit, is paid, or owed.

    A scheduled change begins a whole period of the new plan at the billing date. One at once keeps the dates, unless
    a new cycle begins with it.
    """
    scheduled = change.proration is None
    restarts = scheduled or (change.proration is not None and change.proration.restarts)
    fields: dict[str, object] = {}
    if restarts:
        starts_at = subscription.next_billing_date if scheduled else at
        same = change.plan.frequency == subscription.plan.frequency
        anchor, number = (subscription.anchor, subscription.number + 1) if scheduled and same else (starts_at, 1)
        fields = {
            "anchor": anchor,
            "number": number,
            "previous_billing_date": starts_at,
            "next_billing_date": after(anchor, change.plan.frequency, number),
            "paused_seconds": 0,
            "in_trial": False,
        }
    elif change.plan.frequency != subscription.plan.frequency:
        fields = {"anchor": subscription.next_billing_date, "number": 0}
    codes = after_a_cycle(change.codes) if restarts else change.codes
    told = ("subscription.plan_changed", *(("subscription.renewed",) if scheduled else ()), "subscription.updated")
    return moved(
        subscription,
        subscription.status,
        at,
        *told,
        plan=change.plan,
        codes=codes,
        recurring_pre_tax_amount=change.recurring_pre_tax_amount,
        tax_inclusive=change.tax_inclusive,
        period_price=price if change.proration is None else change.proration.period_price,
        scheduled_change=None,
        expires_at=term_end(subscription, change.plan.term),
        **fields,
    )


def charge_failed(
    subscription: Subscription, charge: OpenCharge, at: datetime, rules: RecoveryRules, *, soft: bool
) -> Moved:
    """Apply the failure of the open charge; `soft` says that a later try may work."""
    closed = moved(subscription, subscription.status, at, open_charge=None).subscription
    if charge.period is None or subscription.status in FINAL:
        return Moved(closed)
    if charge.change is not None and charge.change.on_failure == "prevent_change":
        # A scheduled one is dropped, and the renewal of the old plan is due at once.
        dropped = charge.change.proration is None
        events = ("subscription.updated",) if dropped else ()
        fields = {"scheduled_change": None} if dropped else {}
        return moved(closed, closed.status, at, *events, **fields)
    if charge.change is not None:
        return _owed_change(closed, charge, charge.change, at)
    arrears = _arrears(closed, charge, at, rules, soft=soft)
    if closed.status in UNPAID:
        return moved(closed, closed.status, at, arrears=arrears)
    if rules.grace and charge.charge_type == "renewal":
        arrears = msgspec.structs.replace(arrears, cancels=rules.cancels)
        return moved(
            closed,
            "past_due",
            at,
            "subscription.past_due",
            arrears=arrears,
            past_due_ends_at=at + rules.grace,
        )
    return moved(closed, "on_hold", at, "subscription.on_hold", arrears=arrears)


def _owed_change(subscription: Subscription, charge: OpenCharge, change: PlanChange, at: datetime) -> Moved:
    """Apply a change that was not paid: the old plan's part becomes credit, and the new plan's is owed."""
    assert charge.period is not None  # noqa: S101 - a change has a period
    proration = change.proration
    applied = apply_change(subscription, change, charge.price, _not_before(charge, at))
    changed = applied.subscription
    credit = changed.credit + charge.credit_otherwise + (0 if proration is None else proration.credit)
    arrears = Arrears(
        charge_type="plan_change",
        payment_id=charge.payment_id,
        period=charge.period,
        number=charge.number,
        created_at=at,
        price=charge.price,
        factor=charge.factor,
    )
    carried = changed.carried + charge.carried_otherwise
    held = moved(changed, "on_hold", at, credit=credit, carried=carried, arrears=arrears).subscription
    return Moved(held, ("subscription.plan_changed", "subscription.on_hold", "subscription.updated"))


def _not_before(charge: OpenCharge, at: datetime) -> datetime:
    """Return when a change applies: not before what its charge pays for begins, even if the clock stands."""
    return at if charge.period is None else max(at, charge.period.starts_at)


def _arrears(
    subscription: Subscription, charge: OpenCharge, at: datetime, rules: RecoveryRules, *, soft: bool
) -> Arrears:
    """Return what is owed after one more failed try, and when the next one is."""
    assert charge.period is not None  # noqa: S101 - the caller asked
    before = subscription.arrears
    if before is None:
        before = Arrears(
            charge_type=charge.charge_type,
            payment_id=charge.payment_id,
            period=charge.period,
            number=charge.number,
            created_at=at,
            factor=charge.factor,
        )
        again = before
    else:
        again = msgspec.structs.replace(
            before,
            payment_id=charge.payment_id,
            tries=charge.retry_attempt,
            automatic_tries=before.automatic_tries + (not charge.is_manual),
            manual_sends=before.manual_sends + charge.is_manual,
        )
    retried = soft and again.charge_type == "renewal"
    if charge.is_manual and soft and (before.next_retry_at is None or before.next_retry_at > at):
        following = before.next_retry_at  # sending by hand moves no rung of the ladder but one that is due already
    else:
        following = next_retry(again.created_at, at, again.automatic_tries, rules.retry_window) if retried else None
    return msgspec.structs.replace(again, next_retry_at=following)


def close_link(subscription: Subscription, at: datetime) -> Moved:
    """Close the link of the open charge, through which nobody paid: what was owed is owed as before."""
    return moved(subscription, subscription.status, at, open_charge=None)


def replace_method(subscription: Subscription, payment_method_id: str, at: datetime) -> Moved:
    """Charge another saved method from now on."""
    return moved(
        subscription,
        subscription.status,
        at,
        "subscription.update_payment_method",
        "subscription.updated",
        payment_method_id=payment_method_id,
        payment_method_required=True,
    )


def hold_without_method(subscription: Subscription, at: datetime) -> Moved:
    """Put a subscription on hold that has no method to charge; one that owes already stops retrying by itself."""
    if subscription.arrears is not None:
        stopped = msgspec.structs.replace(subscription.arrears, next_retry_at=None)
        return moved(subscription, subscription.status, at, arrears=stopped)
    due = ServicePeriod(
        subscription.next_billing_date,
        after(subscription.anchor, subscription.plan.frequency, subscription.number + 1),
    )
    arrears = Arrears(charge_type="renewal", payment_id=None, period=due, number=subscription.number, created_at=at)
    return moved(subscription, "on_hold", at, "subscription.on_hold", arrears=arrears)


def end_grace(subscription: Subscription, at: datetime) -> Moved:
    """End the grace period of a subscription that nobody paid: a link for it goes on, unless it is cancelled."""
    assert subscription.arrears is not None  # noqa: S101 - past_due always has them
    if subscription.arrears.cancels:
        return cancel(close_link(subscription, at).subscription, at, None)
    return moved(subscription, "on_hold", at, "subscription.on_hold", past_due_ends_at=None)


def cancel(
    subscription: Subscription,
    at: datetime,
    by: CancelledBy | None,
    feedback: Feedback | None = None,
    comment: str | None = None,
) -> Moved:
    """Cancel now: no money goes back, nothing is charged any more."""
    return moved(
        subscription,
        "cancelled",
        at,
        "subscription.cancelled",
        cancelled_at=at,
        cancelled_by=by or subscription.cancelled_by,
        cancellation_feedback=feedback or subscription.cancellation_feedback,
        cancellation_comment=comment or subscription.cancellation_comment,
        scheduled_change=None,
        arrears=None,
        past_due_ends_at=None,
        paused_at=None,
    )


def expire(subscription: Subscription, at: datetime) -> Moved:
    """End a subscription whose term is over."""
    return moved(subscription, "expired", at, "subscription.expired", scheduled_change=None)


def pause(subscription: Subscription, at: datetime) -> Moved:
    """Pause: nothing is due until it is resumed."""
    return moved(subscription, "paused", at, "subscription.paused", "subscription.updated", paused_at=at)


def resume(subscription: Subscription, at: datetime) -> Moved:
    """Resume: the next billing date and the end move later by the length of the pause, to the second."""
    assert subscription.paused_at is not None  # noqa: S101 - a paused one has it
    pause_length = (at - subscription.paused_at) // SECOND * SECOND
    next_date = subscription.next_billing_date + pause_length
    ends = subscription.expires_at
    return moved(
        subscription,
        "active",
        at,
        "subscription.unpaused",
        "subscription.updated",
        paused_at=None,
        next_billing_date=next_date,
        anchor=next_date,
        number=0,
        paused_seconds=subscription.paused_seconds + pause_length // SECOND,
        expires_at=None if ends is None else ends + pause_length,
    )


def move_next_date(subscription: Subscription, next_date: datetime, at: datetime) -> Moved:
    """Bill next at another date, from which all later ones follow."""
    return moved(
        subscription,
        subscription.status,
        at,
        "subscription.updated",
        next_billing_date=next_date,
        anchor=next_date,
        number=0,
        paused_seconds=0,
    )


def term_end(subscription: Subscription, term: Span) -> datetime:
    """Return when a subscription would end with another term: the same start, another length.

    Pauses and moved dates are kept: the end moves by as much as the terms differ from the same start.
    """
    own, ends = subscription.plan.term, subscription.expires_at
    start = subscription.created_at
    shift = after(start, term) - after(start, own)
    return (ends or after(start, own)) + shift
