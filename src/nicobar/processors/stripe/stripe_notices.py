"""Notices of Stripe: is it really from Stripe, and what is it about?

The signature is computed over the bytes as they came, with the time at which it was made; the official library checks
both. A notice names an object, and only its id is taken from it: what became of it is asked of Stripe.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from stripe import SignatureVerificationError, WebhookSignature

from nicobar.core.ids import is_object_id
from nicobar.processors.base import Notice, NoticeRefused
from nicobar.processors.stripe.stripe_outcomes import ATTEMPT, REFUND

TOLERANCE: Final = 300
"""Seconds that a signature is good for, by the clock of the system: an old notice may have been replayed."""

EVENTS: Final = (
    "payment_intent.succeeded",
    "payment_intent.processing",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "setup_intent.succeeded",
    "setup_intent.setup_failed",
    "setup_intent.canceled",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
"""What a seller asks Stripe to send. Others are taken and left alone."""


_Id = Annotated[str, msgspec.Meta(max_length=255)]
"""An id of Stripe's, which by its documentation has at most 255 characters."""


class _Object(msgspec.Struct, frozen=True):
    id: _Id = ""
    metadata: dict[str, Any] | None = None


class _Data(msgspec.Struct, frozen=True):
    object: _Object


class _Event(msgspec.Struct, frozen=True):
    id: _Id
    type: _Id
    data: _Data


def read_notice(headers: Mapping[str, str], body: bytes, signing_secret: str) -> Notice | None:
    """Return what a notice is about; None for one that concerns nothing of ours. Raises NoticeRefused."""
    try:
        WebhookSignature.verify_header(body, headers.get("stripe-signature"), signing_secret, TOLERANCE)
    except (SignatureVerificationError, ValueError, TypeError, OverflowError) as error:
        raise NoticeRefused("its signature is missing, wrong or too old") from error
    try:
        event = msgspec.json.decode(body, type=_Event)
    except msgspec.DecodeError as error:
        raise NoticeRefused("it cannot be read") from error
    found, metadata = event.data.object, event.data.object.metadata or {}
    if event.type.startswith(("payment_intent.", "setup_intent.")):
        attempt_id = metadata.get(ATTEMPT)
        if isinstance(attempt_id, str) and is_object_id(attempt_id, "att"):
            return Notice(event.id, "attempt", attempt_id)
    elif event.type.startswith(("refund.", "charge.refund.")):
        refund_id = metadata.get(REFUND)
        if isinstance(refund_id, str) and is_object_id(refund_id, "ref"):
            return Notice(event.id, "refund", refund_id)
    elif event.type.startswith("charge.dispute.") and found.id:
        return Notice(event.id, "dispute", found.id)
    return None
