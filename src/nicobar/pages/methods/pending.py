"""What a customer reads while a payment is under way that is no card: an app to open, a reference, or just patience."""

import msgspec
from babel.dates import format_date

from nicobar.core.payments.payment import Payment, Pending, PendingDetails
from nicobar.pages.texts.method_names import method_name
from nicobar.pages.texts.texts import Reader
from nicobar.reference import methods


class PendingView(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that a processor has accepted and not ended."""

    heading: str
    text: str
    name: str
    """The method's name."""
    again: int | None
    """Seconds after which the page looks again by itself; None where the end is days away."""
    account: str | None
    entity: str | None
    code: str | None
    """In groups of three, as it is read out and typed."""
    pay_by: str | None
    moment: str | None
    """`pay_by` for machines, ISO 8601."""
    url: str | None
    """A page of the processor about the payment."""


def pending_view(payment: Payment, outcome: Pending, again: int, reader: Reader) -> PendingView | None:
    """Return the view of a pending payment; `again` is the pace for one that ends within minutes.

    None stands for a card, and for any other method that is rarely pending: there is nothing to say but to wait.
    """
    texts, method = reader.texts, methods.get(payment.payment_method_type or "")
    details, debit = outcome.details or PendingDetails(), f"methods.pending_{method.type}_text"
    name = method_name(method.type, payment.billing.country, texts)
    if details.code is not None:
        heading = texts("methods.pending_transfer_heading")
        text = texts("methods.pending_transfer_text")
    elif method.flow == "upi_id":
        heading, text = texts("methods.pending_upi_heading"), texts("methods.pending_upi_text")
    elif debit in texts:
        heading, text = texts("methods.pending_debit_heading"), texts(debit)
    else:
        return None
    code = details.code
    return PendingView(
        heading=heading,
        text=text,
        name=name,
        again=again if method.flow == "upi_id" else None,
        account=details.account,
        entity=details.entity,
        code=None if code is None else "\u00a0".join(code[start : start + 3] for start in range(0, len(code), 3)),
        pay_by=None if details.pay_by is None else format_date(details.pay_by, "long", reader.locale),
        moment=None if details.pay_by is None else details.pay_by.date().isoformat(),
        url=details.url,
    )
