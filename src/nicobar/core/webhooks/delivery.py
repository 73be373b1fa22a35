"""Deliveries: an event on its way to an endpoint, and every try of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from nicobar.core.events.event import Event

DeliveryState = Literal["waiting", "delivered", "failed", "stopped"]
"""`failed`: the last try of the ladder failed. `stopped`: its endpoint was disabled or deleted before it arrived."""

ReplayOf = Literal["failed", "missing", "all"]
"""What a replay sends: what failed or was stopped, what was never scheduled, or every event that the endpoint wants."""


class Answer(msgspec.Struct, frozen=True):
    """What came of one try."""

    status: int | None
    """The HTTP status; None when no answer came."""
    content: str
    """The beginning of the answer."""
    duration_ms: int
    failure: str | None
    """Why it counts as failed, in words for the merchant; None for a success."""
    retry_after: timedelta | None = None
    """The pause that the receiver asks for."""


class DeliveryAttempt(msgspec.Struct, frozen=True):
    """One try, as the log keeps it."""

    number: int
    """From 1, over all replays."""
    attempted_at: datetime
    duration_ms: int
    status: int | None
    answer: str | None
    reason: str | None
    next_at: datetime | None
    """When the next try was to be made; None for never."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way to one endpoint."""

    event_id: str
    endpoint_id: str
    message_id: str
    """The `webhook-id`: one for each event and endpoint."""
    url: str
    """Where the endpoint is now."""
    state: DeliveryState
    due_at: datetime | None
    created_at: datetime
    updated_at: datetime
    attempts: Sequence[DeliveryAttempt]


class DueDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to make one try."""

    message_id: str
    step: int
    """Tries that were made since it was scheduled."""
    tries: int
    """How often it was taken: who records for another number comes too late."""
    event: Event
    is_newest: bool
    """Whether nothing was told since about the event's object, nor about what belongs to it."""
    url: str
    secret: bytes
    previous_secret: bytes | None
    previous_ends_at: datetime | None
    headers: bytes | None
    failing_since: datetime | None
