"""The body that every delivery of an event carries (contract, "Webhook delivery")."""

from datetime import datetime
from typing import Literal

import msgspec

from nicobar.core.events.event import EventType

PayloadType = Literal["Payment", "Refund", "Dispute"]

_encoder = msgspec.json.Encoder()


def render_event(
    business_id: str, type: EventType, at: datetime, payload_type: PayloadType, data: msgspec.Struct
) -> bytes:
    """Return the body: compact JSON in one order of keys, with `data` as GET returns the object.

    Names in other scripts stay as they are, because one relay of the hosted service's clients writes the body anew
    and would otherwise change the bytes that were signed.
    """
    body = {
        "business_id": business_id,
        "type": type,
        "timestamp": at,
        "data": {"payload_type": payload_type, **msgspec.structs.asdict(data)},
    }
    return _encoder.encode(body)
