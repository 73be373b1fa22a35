"""The life of a refund, and what a processor can say about one."""

from typing import Final, Literal

import msgspec

from nicobar.core.payment import Unknown

RefundStatus = Literal["pending", "succeeded", "failed", "review"]
"""The contract's statuses; this server never asks a person, so `review` is not produced."""

REFUND_TRANSITIONS: Final[dict[RefundStatus, frozenset[RefundStatus]]] = {
    "pending": frozenset({"succeeded", "failed"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "review": frozenset(),
}
"""From each status, the statuses that may follow. The guarded UPDATE in storage takes its origins from here."""

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
    """The processor said no: the money stays where it is."""

    why: str
    """The processor's words, for the merchant."""
    reference: str | None = None


class RefundPending(msgspec.Struct, frozen=True, tag="pending"):
    """The processor accepted the refund and will say later how it ended."""

    reference: str


RefundOutcome = RefundSucceeded | RefundFailed | RefundPending | Unknown
"""What a processor said about one refund; Unknown when nobody can say, and the resolver asks again."""
