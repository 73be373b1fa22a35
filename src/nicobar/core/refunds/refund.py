"""Refunds: their life, what a processor can say about one, and what a request asks for."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec

from nicobar.core.payments.payment import Payment, Unknown

RefundStatus = Literal["pending", "succeeded", "failed", "review"]
"""The contract's statuses; this server never asks a person, so `review` is not produced."""

REFUND_TRANSITIONS: Final[dict[RefundStatus, frozenset[RefundStatus]]] = {
    "pending": frozenset({"succeeded", "failed"}),
    "succeeded": frozenset({"failed"}),
    "failed": frozenset(),
    "review": frozenset(),
}
"""From each status, the statuses that may follow. The guarded UPDATE in storage takes its origins from here.

A refund that succeeded can come back days later, when the customer's bank does not take it. Nothing follows a failure:
its money was given free, and may be refunded by another refund already.
"""

NetworkReferenceType = Literal[
    "acquirer_reference_number", "system_trace_audit_number", "retrieval_reference_number", "other"
]


class RefundSucceeded(msgspec.Struct, frozen=True, tag="succeeded", omit_defaults=True):
    """The processor said, in explicit words, that the money goes back."""

    reference: str
    """The processor's own id of the refund."""
    network_reference: str | None = None
    """A number by which the customer's bank finds the refund."""
    network_reference_type: NetworkReferenceType | None = None


class RefundFailed(msgspec.Struct, frozen=True, tag="failed", omit_defaults=True):
    """The processor said no: the money stays where it is, or has come back there."""

    why: str
    """The processor's words, for the merchant."""
    reference: str | None = None
    """The processor's own id of the refund that failed; None when it refused the order, so that it has none."""


class RefundPending(msgspec.Struct, frozen=True, tag="pending"):
    """The processor accepted the refund and will say later how it ended."""

    reference: str


RefundOutcome = RefundSucceeded | RefundFailed | RefundPending | Unknown
"""What a processor said about one refund; Unknown when nobody can say, and the resolver asks again."""


class RefundItem(msgspec.Struct, frozen=True):
    """What a request wants back of one item."""

    item_id: str
    """The product; one product may stand on several lines of the cart."""
    amount: int | None = None
    """Minor units of the request's currency; None asks for everything that is left of the item."""
    tax_inclusive: bool = True
    """Whether `amount` contains the tax, or the tax is given back on top of it."""


class RefundInstruction(msgspec.Struct, frozen=True):
    """What a request asks for."""

    items: tuple[RefundItem, ...] | None = None
    """None asks for everything that is left of the payment."""
    currency: str | None = None
    """The currency of the items' amounts; None stands for the settlement currency."""


class NewRefund(msgspec.Struct, frozen=True):
    """A refund to make, or to preview."""

    payment_id: str
    wish: RefundInstruction = RefundInstruction()
    reason: str | None = None
    """A blank one counts as none."""
    metadata: dict[str, Any] = {}


class RefundTerms(msgspec.Struct, frozen=True):
    """What decides about a refund besides the payment and the request."""

    at: datetime
    """When it is asked for."""
    window_days: int
    """Days after the success of the payment within which it can be refunded."""
    refunds: int
    """How many refunds of the payment there are, failed ones too."""
    returned_at_once: bool
    """Whether one refund has given the whole payment back."""
    disputed: int
    """What disputes hold of the payment, in its currency: the customer gets that from the bank."""
    partial_allowed: bool
    """Whether the payment's method can give a part back."""
    exponents: Mapping[str, int]
    """Number of decimals of each currency, for sentences."""
    step: int = 1
    """The processor gives back multiples of so many minor units of the payment's currency."""


class RefundLine(msgspec.Struct, frozen=True):
    """What one refund gives back of one line of the cart."""

    position: int
    """The line's position in the payment."""
    amount: int
    """With tax, in minor units of the currency that was paid."""
    tax: int
    """The tax in `amount`."""
    settlement_amount: int
    """The same with tax, in the settlement currency, at the payment's own rate."""
    settlement_tax: int


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """A refund of one payment. Amounts are minor units of `currency`, the currency that was paid."""

    refund_id: str
    payment_id: str
    attempt_id: str
    """The attempt whose charge is given back."""
    status: RefundStatus
    amount: int
    """With tax."""
    tax: int
    currency: str
    settlement_amount: int
    settlement_tax: int
    settlement_currency: str
    is_partial: bool
    """Whether it gives back less than was paid."""
    reason: str | None
    metadata: dict[str, Any]
    outcome: RefundOutcome | None
    """The last word of the processor; None while its first answer is awaited."""
    asked_at: datetime | None = None
    """When the processor was asked for that word."""
    network_reference: str | None
    network_reference_type: NetworkReferenceType | None
    network_reference_updated_at: datetime | None
    created_at: datetime
    resolved_at: datetime | None
    """When the end was known; the last one, for a refund that came back."""
    lines: list[RefundLine]
    """In the order of the cart; empty where a list of refunds was read."""


class PaymentRefund(NamedTuple):
    """A refund with its payment, both as of one moment."""

    refund: Refund
    payment: Payment


class PlannedRefund(NamedTuple):
    """What a refund would give back of a payment."""

    payment: Payment
    lines: Sequence[RefundLine]


def status_after(outcome: RefundOutcome) -> RefundStatus:
    """Return the refund's status after `outcome`; in doubt it stays pending."""
    match outcome:
        case RefundSucceeded():
            return "succeeded"
        case RefundFailed():
            return "failed"
        case RefundPending() | Unknown():
            return "pending"


def refund_origins(target: RefundStatus) -> list[RefundStatus]:
    """Return the statuses from which `target` may be entered, sorted, for a guarded UPDATE."""
    return sorted(status for status, followers in REFUND_TRANSITIONS.items() if target in followers)


def is_superseded(refund: Refund, outcome: RefundOutcome, asked_at: datetime) -> bool:
    """Return whether an answer, asked for at `asked_at`, is outdone by what is known of a refund that has ended.

    The refusal of an order says nothing about a refund that has succeeded by the same order, placed twice. An answer
    to an older question than the stored one is older. Of two from the same moment the failure is the later one: money
    that went back may come back, and not the other way round.
    """
    if refund.status == "succeeded" and _is_refusal(outcome):
        return True
    if refund.status == "pending" or refund.asked_at is None or _is_refusal(refund.outcome):
        return False
    if refund.status == "failed" and isinstance(outcome, RefundSucceeded):
        return asked_at <= refund.asked_at
    return asked_at < refund.asked_at


def _is_refusal(outcome: RefundOutcome | None) -> bool:
    """Return whether a processor refused an order, which is less than that the refund itself has failed."""
    return isinstance(outcome, RefundFailed) and outcome.reference is None
