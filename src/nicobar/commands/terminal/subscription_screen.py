"""Everything about one subscription on one screen, as text."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from nicobar.commands.terminal.parts import moment, table
from nicobar.commands.terminal.payment_screen import money, person
from nicobar.core.counted import counted
from nicobar.core.events.event import Event
from nicobar.core.payments.payment import Payment
from nicobar.core.subscriptions.calendar import Span
from nicobar.core.subscriptions.charge_record import ChargeRecord
from nicobar.core.subscriptions.due import wake_at
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.program.banner import plain

LIST_TITLES: Final = ["ID", "CREATED (UTC)", "STATUS", "EACH CYCLE", "NEXT DATE (UTC)", "PRODUCT", "CUSTOMER", "EMAIL"]

_NONE: Final = "-"


class SubscriptionHistory(NamedTuple):
    """What is known of one subscription."""

    subscription: Subscription
    charges: Sequence[ChargeRecord]
    """The newest first."""
    payments: Mapping[str, Payment]
    events: Sequence[Event]


def list_row(subscription: Subscription) -> list[str]:
    """Return the line of a subscription in a list, under `LIST_TITLES`."""
    return [
        subscription.subscription_id,
        moment(subscription.created_at),
        subscription.status,
        money(subscription.recurring_pre_tax_amount, subscription.currency),
        moment(subscription.next_billing_date),
        plain(subscription.plan.product.name),
        subscription.customer.customer_id,
        plain(subscription.customer.email),
    ]


def subscription_json(subscription: Subscription) -> dict[str, Any]:
    """Return a subscription for programs, as it is stored. Amounts are minor units."""
    found: dict[str, Any] = msgspec.to_builtins(subscription)
    return found


def history_json(history: SubscriptionHistory) -> dict[str, Any]:
    """Return all that the screen shows for programs."""
    return {
        "subscription": subscription_json(history.subscription),
        "next": next_sentence(history.subscription),
        "charges": msgspec.to_builtins(history.charges),
        "events": [{"type": event.type, "created_at": event.created_at.isoformat()} for event in history.events],
    }


def next_sentence(subscription: Subscription) -> str:
    """Return what happens next, and when."""
    charge, due = subscription.open_charge, wake_at(subscription)
    if charge is not None:
        return f"It waits for the payment {charge.payment_id} ({charge.charge_type})."
    if due is None:
        return "Nothing is due."
    at = f"{moment(due)} UTC"
    match subscription.status:
        case "pending":
            return f"It will be given up at {at}, unless its first payment {subscription.first_payment_id} succeeds."
        case "active" if subscription.cancel_at_next_billing_date:
            return f"It will be cancelled at {at}."
        case "active" if subscription.expires_at is not None and due >= subscription.expires_at:
            return f"It expires at {at}."
        case "active" if subscription.scheduled_change is not None:
            return f"Its plan changes to {subscription.scheduled_change.plan.product_id} at {at}."
        case "active":
            return f"It renews at {at}."
        case "past_due" if due == subscription.past_due_ends_at:
            return f"Its grace period ends at {at}."
        case _:
            return f"What is owed will be tried again at {at}."


def screen(history: SubscriptionHistory) -> str:
    """Return the whole screen."""
    own = history.subscription
    plan, currency = own.plan, own.currency
    lines = [f"{own.subscription_id}  {own.status}  {own.mode} mode", next_sentence(own), ""]
    lines.append(f"  Customer: {person(own.customer)}")
    lines += [f"  {each.quantity} x {plain(each.name)} ({each.sold.product_id})" for each in plan.lines]
    lines.append(
        f"  {money(own.recurring_pre_tax_amount, currency)} {_every(plan.frequency)}, "
        f"for {counted(plan.term.count, plan.term.interval.lower())}"
    )
    lines.append(f"  Current period: {moment(own.previous_billing_date)} to {moment(own.next_billing_date)} UTC")
    lines.append(f"  Payment method: {own.payment_method_id or _NONE}")
    if own.credit:
        lines.append(f"  Credit: {money(own.credit, currency)}")
    if own.carried:
        lines.append(f"  Too small to be charged, carried on to the next cycle: {money(own.carried, currency)}")
    for code in own.codes:
        left = "every cycle" if code.cycles_remaining is None else f"{counted(code.cycles_remaining, 'cycle')} left"
        lines.append(f"  Code {plain(code.terms.code)}: {left}")
    if own.arrears is not None:
        lines.append(
            f"  Owed since {moment(own.arrears.created_at)} UTC, tried {counted(own.arrears.tries + 1, 'time')}"
        )
    rows = [_charge(each, history.payments.get(each.payment_id)) for each in history.charges]
    lines += ["", *table(["PAYMENT", "FOR", "STATUS", "TOTAL", "FROM (UTC)", "TO (UTC)"], rows)]
    told = [[moment(event.created_at), event.type] for event in history.events]
    lines += ["", *table(["AT (UTC)", "EVENT"], told)]
    return "\n".join(lines)


def _every(cycle: Span) -> str:
    unit = cycle.interval.lower()
    return f"every {unit}" if cycle.count == 1 else f"every {counted(cycle.count, unit)}"


def _charge(charge: ChargeRecord, payment: Payment | None) -> list[str]:
    retried = f" (retry {charge.retry_attempt})" if charge.retry_attempt else ""
    return [
        charge.payment_id,
        f"{charge.charge_type or 'payment method'}{retried}",
        charge.state if payment is None else payment.status,
        _NONE if payment is None else money(payment.total_amount, payment.currency),
        moment(charge.starts_at),
        moment(charge.ends_at),
    ]
