"""Everything about one payment on one screen, as text. It shows no card number, no secret and no payment link."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec
from babel.numbers import format_currency, get_currency_precision

from nicobar.commands.terminal.delivery_lines import delivery_lines, summary
from nicobar.commands.terminal.parts import moment, table
from nicobar.core.customers.buyer import Buyer
from nicobar.core.disputes.dispute import Dispute
from nicobar.core.events.event import PAYMENT_EVENTS, Event
from nicobar.core.ledger.ledger import LedgerEntry
from nicobar.core.payments.payment import Attempt, Declined, Outcome, Payment, Unknown
from nicobar.core.pricing.explanation import describe, explain
from nicobar.core.pricing.pricing import Quote
from nicobar.core.refunds.refund import Refund, RefundFailed
from nicobar.core.webhooks.delivery import Delivery
from nicobar.program.banner import plain
from nicobar.reference import currencies
from nicobar.wire.webhooks.deliveries import render_delivery

_STATUS_OF: Final = {event: status for status, event in PAYMENT_EVENTS.items()}

_NONE: Final = "-"


class PaymentHistory(NamedTuple):
    """All that is known of one payment."""

    payment: Payment
    quote: Quote
    """Recomputed from what was stored with the payment."""
    recomputed: bool
    """Whether that gives the amounts that were charged."""
    attempts: Sequence[Attempt]
    refunds: Sequence[Refund]
    disputes: Sequence[Dispute]
    entries: Sequence[LedgerEntry]
    events: Sequence[Event]
    """Those of the payment, its refunds and its disputes."""
    deliveries: Sequence[Delivery]
    """Of those events, to webhook endpoints."""


class StatusChange(NamedTuple):
    """A moment at which a payment came to a status."""

    at: datetime
    status: str
    why: str


LIST_TITLES: Final = ["ID", "CREATED (UTC)", "STATUS", "AMOUNT", "REFUNDED", "METHOD OR ERROR", "CUSTOMER", "EMAIL"]


def list_row(payment: Payment) -> list[str]:
    """Return the line of a payment in a list, under `LIST_TITLES`. A pending refund counts as refunded."""
    return [
        payment.payment_id,
        moment(payment.created_at),
        payment.status,
        money(payment.total_amount, payment.currency),
        money(payment.refund_reserved_amount, payment.currency) if payment.refund_reserved_amount else _NONE,
        plain(payment.error_code or payment.payment_method_type or _NONE),
        payment.customer.customer_id,
        plain(payment.customer.email),
    ]


def payment_json(payment: Payment) -> dict[str, Any]:
    """Return a payment for programs: as it is stored, but without its link, which opens its page."""
    return {name: value for name, value in msgspec.structs.asdict(payment).items() if name != "link_id"}


def as_json(history: PaymentHistory) -> dict[str, Any]:
    """Return all that the screen shows for programs, and no more: no address that opens anything.

    Amounts are minor units.
    """
    attempts = msgspec.to_builtins(history.attempts)
    for attempt in attempts:
        outcome = attempt["outcome"] or {}
        outcome.pop("url", None)
        (outcome.get("details") or {}).pop("url", None)
    steps = [{"line": step.line, "sentence": describe(step)} for step in explain(history.quote)]
    return {
        "payment": payment_json(history.payment),
        "pricing": {"recomputed": history.recomputed, "steps": steps},
        "attempts": attempts,
        "transitions": [change._asdict() for change in changes(history)],
        "refunds": history.refunds,
        "disputes": history.disputes,
        "entries": history.entries,
        "events": [
            {"event_id": event.event_id, "type": event.type, "created_at": event.created_at} for event in history.events
        ],
        "deliveries": [render_delivery(delivery) for delivery in history.deliveries],
    }


def screen(history: PaymentHistory) -> str:
    """Return the whole screen. What others typed cannot steer the terminal: it is shown as `plain` makes it."""
    payment = history.payment
    total = money(payment.total_amount, payment.currency)
    lines = [f"{payment.payment_id}  {payment.status}  {total}  {payment.mode} mode"]
    sections = {
        "Request": _request(payment),
        "Pricing": _pricing(history),
        "Attempts": _attempts(history.attempts),
        "Transitions": _transitions(history),
        "Refunds": _refunds(history.refunds),
        "Disputes": _disputes(history.disputes),
        "Ledger": _ledger(history.entries),
        "Events": _events(history),
        "Deliveries": delivery_lines(history.deliveries),
    }
    for title, content in sections.items():
        lines += ["", title, *[f"  {line}" for line in content or ["None."]]]
    return "\n".join(lines)


def money(minor: int, currency: str) -> str:
    """Write an amount with the currency's own number of decimals: `1,234.50 USD`, `500 JPY`.

    A bank may dispute in a currency that nothing is sold in; its decimals are those that Unicode's tables give it.
    """
    exponent = currencies.exponents().get(currency, get_currency_precision(currency))
    pattern = "#,##0" + (f".{'0' * exponent}" if exponent else "") + " ¤¤"
    written = format_currency(Decimal(minor).scaleb(-exponent), currency, pattern, "en_US", currency_digits=False)
    return str(written).replace("\xa0", " ")


def changes(history: PaymentHistory) -> list[StatusChange]:
    """Return how the payment came to its status, as far as its rows tell.

    They are the creation, the beginning of each attempt, and each event about a status. A status without an event, a
    wait for the customer, is seen only while it lasts.
    """
    payment = history.payment
    found = [StatusChange(payment.created_at, "requires_payment_method", "created")]
    for attempt in history.attempts:
        why = f"{attempt.attempt_id} begins at {attempt.processor}"
        found.append(StatusChange(attempt.created_at, "processing", why))
    for event in history.events:
        if (status := _STATUS_OF.get(event.type)) is not None:
            found.append(StatusChange(event.created_at, status, event.event_id))
    found.sort(key=lambda change: change.at)
    if found[-1].status != payment.status:
        found.append(StatusChange(payment.updated_at or payment.created_at, payment.status, "as it stands"))
    return found


def _request(payment: Payment) -> list[str]:
    billing = payment.billing
    address = [billing.street, billing.zipcode, billing.city, billing.state]
    options = msgspec.to_builtins(payment.options)
    named = [
        ("Created", f"{moment(payment.created_at)} UTC; the link ends {moment(payment.expires_on)} UTC"),
        ("Customer", person(payment.customer)),
        ("Country", ", ".join([billing.country, *[part for part in address if part]])),
        ("Method", _method(payment)),
        *[("Cart", f"{line.quantity} x {line.name} ({line.product_id})") for line in payment.lines],
        *[("Option", f"{name} = {_json(value)}") for name, value in options.items()],
        *[("Metadata", f"{name} = {_json(value)}") for name, value in payment.metadata.items()],
    ]
    return [f"{name:<10}{plain(value)}" for name, value in named]


def person(buyer: Buyer) -> str:
    """Return on one line who a customer is, with the id: several customers can have one e-mail address."""
    phone = f", {buyer.phone_number}" if buyer.phone_number else ""
    return plain(f"{buyer.name or 'no name'} <{buyer.email}>{phone}, {buyer.customer_id}")


def _method(payment: Payment) -> str:
    if payment.payment_method is None:
        return "none yet"
    method = f"{payment.payment_method}, {payment.payment_method_type}"
    return method if payment.card is None else f"{method}, {payment.card.network} ending in {payment.card.last_four}"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _pricing(history: PaymentHistory) -> list[str]:
    payment = history.payment
    lines = [plain(describe(step)) for step in explain(history.quote)]
    if payment.settlement_currency != payment.currency or payment.settlement_amount != payment.total_amount:
        settled = money(payment.settlement_amount, payment.settlement_currency)
        tax = money(payment.settlement_tax, payment.settlement_currency)
        lines.append(f"The seller is settled {settled}, of which {tax} are tax.")
    if history.recomputed:
        return [*lines, "Computed again from what was stored: the same amounts."]
    return [*lines, "COMPUTED AGAIN FROM WHAT WAS STORED, THE AMOUNTS DIFFER. Run: nicobar doctor"]


def _attempts(attempts: Sequence[Attempt]) -> list[str]:
    lines = []
    for attempt in attempts:
        amount = money(attempt.amount, attempt.currency)
        at = f"{attempt.processor} {attempt.account}".rstrip()
        lines.append(f"{attempt.attempt_id}  {plain(at)}  {amount}  began {moment(attempt.created_at)}")
        reference = getattr(attempt.outcome, "reference", None)
        known = f", reference {reference}" if reference else ""
        ended = f", ended {moment(attempt.resolved_at)}" if attempt.resolved_at else ", not ended"
        lines.append(f"    {plain(_said(attempt.outcome) + known)}{ended}")
        if isinstance(attempt.outcome, Declined):
            lines.append(f"    {plain(attempt.outcome.error_message)}")
    return lines


def _said(outcome: Outcome | None) -> str:
    """Return the processor's last word."""
    if outcome is None:
        return "nothing was said yet"
    word = str(msgspec.to_builtins(outcome)["type"]).replace("_", " ")
    match outcome:
        case Declined():
            word += f": {outcome.error_code}"
        case Unknown():
            word += f": {outcome.why}"
    three_ds = getattr(outcome, "three_ds", None)
    if three_ds is not None and (told := " ".join(filter(None, (three_ds.flow, three_ds.status)))):
        word += f" (3-D Secure: {told})"
    return word


def _transitions(history: PaymentHistory) -> list[str]:
    rows = [[moment(change.at), change.status, change.why] for change in changes(history)]
    note = "From the creation, the attempts and the events; an earlier wait for the customer is not among them."
    return [*_table(["WHEN (UTC)", "STATUS", "BY"], rows), note]


def _refunds(refunds: Sequence[Refund]) -> list[str]:
    rows = [
        [
            refund.refund_id,
            refund.status,
            money(refund.amount, refund.currency),
            moment(refund.created_at),
            moment(refund.resolved_at),
            plain(getattr(refund.outcome, "reference", None) or _NONE),
            plain(_reason(refund)),
        ]
        for refund in refunds
    ]
    return _table(["ID", "STATUS", "AMOUNT", "BEGAN (UTC)", "ENDED (UTC)", "REFERENCE", "REASON"], rows)


def _reason(refund: Refund) -> str:
    """Return why the refund was asked for and, when it failed, why it did."""
    reason = refund.reason or _NONE
    return f"{reason} (failed: {refund.outcome.why})" if isinstance(refund.outcome, RefundFailed) else reason


def _disputes(disputes: Sequence[Dispute]) -> list[str]:
    rows = [
        [
            dispute.dispute_id,
            dispute.status,
            dispute.stage,
            money(dispute.amount, dispute.currency),
            moment(dispute.created_at),
            plain(dispute.reference),
            plain(dispute.reason or _NONE),
        ]
        for dispute in disputes
    ]
    return _table(["ID", "STATUS", "STAGE", "AMOUNT", "OPENED (UTC)", "REFERENCE", "REASON"], rows)


def _ledger(entries: Sequence[LedgerEntry]) -> list[str]:
    rows = [
        [
            moment(entry.created_at),
            entry.kind,
            entry.reference,
            posting.account,
            _decimals(posting.amount, posting.currency) if posting.amount > 0 else "",
            _decimals(-posting.amount, posting.currency) if posting.amount < 0 else "",
            posting.currency,
        ]
        for entry in entries
        for posting in entry.postings
    ]
    lines = _table(["WHEN (UTC)", "KIND", "ABOUT", "ACCOUNT", "DEBIT", "CREDIT", "CURRENCY"], rows, right=(4, 5))
    if lost := sum(entry.lost for entry in entries):
        lines.append(f"GIVEN BACK TWICE: {money(lost, entries[0].settlement_currency)}, the seller's loss.")
    return lines


def _decimals(minor: int, currency: str) -> str:
    return money(minor, currency).rpartition(" ")[0]


def _events(history: PaymentHistory) -> list[str]:
    rows = [
        [
            event.event_id,
            moment(event.created_at),
            event.type,
            event.object_id,
            summary([one for one in history.deliveries if one.event_id == event.event_id]),
        ]
        for event in history.events
    ]
    return _table(["ID", "WHEN (UTC)", "TYPE", "ABOUT", "DELIVERIES"], rows)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    return list(table(titles, rows, right)) if rows else []
