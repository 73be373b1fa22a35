"""The wire types of events and of their deliveries. They are this server's own: the contract has no such calls."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from nicobar.core.events.event import Event
from nicobar.core.webhooks.delivery import Delivery, DeliveryAttempt, DeliveryState, ReplayOf
from nicobar.core.webhooks.event_types import WebhookEventType
from nicobar.wire.common import ObjectId, RequestBody, ResponseBody
from nicobar.wire.webhooks.cursors import CursorQuery


class EventListQuery(CursorQuery, frozen=True, kw_only=True):
    """The filters of GET /events; dates are inclusive."""

    type: WebhookEventType | None = None
    object_id: ObjectId | None = None
    """The payment, refund or dispute that the event is about."""
    created_at_gte: datetime | None = None
    created_at_lte: datetime | None = None


class EventListItem(ResponseBody, frozen=True, kw_only=True):
    """An event: something that merchants are notified of."""

    event_id: str
    business_id: str
    type: str
    object_id: str
    created_at: datetime


class EventRead(ResponseBody, frozen=True, kw_only=True):
    """An event with the body that was frozen with it."""

    event_id: str
    business_id: str
    type: str
    object_id: str
    created_at: datetime
    payload: dict[str, Any]
    """The body as it was when the event happened. A later delivery shows the object as it is then."""


class AttemptRead(ResponseBody, frozen=True, kw_only=True):
    """One try to deliver an event."""

    number: int
    attempted_at: datetime
    duration_ms: int
    response_status: int | None
    """The HTTP status; null when no answer came."""
    response_body: str | None
    """The first 1024 bytes of the answer."""
    reason: str | None
    """Why it failed; null for a success."""
    next_attempt_at: datetime | None
    """When the next try was to be made; null for never."""


class WebhookDeliveryRead(ResponseBody, frozen=True, kw_only=True):
    """An event on its way to one endpoint."""

    message_id: str
    """The `webhook-id` of each try, by which receivers tell that they know it already."""
    event_id: str
    endpoint_id: str
    url: str
    """The endpoint's address as it is now."""
    state: DeliveryState
    """`failed`: every try failed. `stopped`: the endpoint was disabled or deleted before the event arrived."""
    next_attempt_at: datetime | None
    created_at: datetime
    updated_at: datetime
    attempts: list[AttemptRead]


class DeliveryList(ResponseBody, frozen=True, kw_only=True):
    """All deliveries of an event."""

    data: list[WebhookDeliveryRead]


class Redeliver(RequestBody, frozen=True, kw_only=True):
    """The body of POST /events/{event_id}/redeliver; `{}` sends to every endpoint."""

    endpoint_id: ObjectId | None = None
    """Only to this one."""


class ReplayRequest(RequestBody, frozen=True, kw_only=True):
    """The body of POST /events/replay."""

    what: ReplayOf
    """`failed`: what failed or was stopped. `missing`: what was never scheduled, such as events before the endpoint.
    `all`: everything that is not under way."""
    since: datetime
    """Events of this moment and later."""
    until: datetime | None = None
    endpoint_id: ObjectId | None = None
    types: Annotated[list[WebhookEventType], Meta(max_length=100)] | None = None


class Scheduled(ResponseBody, frozen=True, kw_only=True):
    """How many deliveries a request has made due."""

    scheduled: int


def render_event_item(event: Event, business_id: str) -> EventListItem:
    """Render an event of a list."""
    return EventListItem(
        event_id=event.event_id,
        business_id=business_id,
        type=event.type,
        object_id=event.object_id,
        created_at=event.created_at,
    )


def render_event_read(event: Event, business_id: str) -> EventRead:
    """Render an event with its body."""
    return EventRead(
        event_id=event.event_id,
        business_id=business_id,
        type=event.type,
        object_id=event.object_id,
        created_at=event.created_at,
        payload=msgspec.json.decode(event.payload),
    )


def render_delivery(delivery: Delivery) -> WebhookDeliveryRead:
    """Render a delivery with its tries."""
    return WebhookDeliveryRead(
        message_id=delivery.message_id,
        event_id=delivery.event_id,
        endpoint_id=delivery.endpoint_id,
        url=delivery.url,
        state=delivery.state,
        next_attempt_at=delivery.due_at,
        created_at=delivery.created_at,
        updated_at=delivery.updated_at,
        attempts=[_attempt(attempt) for attempt in delivery.attempts],
    )


def _attempt(attempt: DeliveryAttempt) -> AttemptRead:
    return AttemptRead(
        number=attempt.number,
        attempted_at=attempt.attempted_at,
        duration_ms=attempt.duration_ms,
        response_status=attempt.status,
        response_body=attempt.answer,
        reason=attempt.reason,
        next_attempt_at=attempt.next_at,
    )
