"""The operations on events: what happened, what became of its deliveries, and sending it again."""

from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.core.problems import Problem
from nicobar.flows.webhooks.replay_events import replay_events
from nicobar.storage.events import events
from nicobar.storage.events.events import EventFilter
from nicobar.storage.webhooks.delivery_log import Replay, deliveries_of
from nicobar.wire.common import EARLIEST, LATEST, NoQuery, in_utc
from nicobar.wire.webhooks.cursors import CursorPage, cursor_page
from nicobar.wire.webhooks.deliveries import (
    DeliveryList,
    EventListItem,
    EventListQuery,
    EventRead,
    Redeliver,
    ReplayRequest,
    Scheduled,
    render_delivery,
    render_event_item,
    render_event_read,
)


async def list_(call: Call[None, EventListQuery]) -> CursorPage[EventListItem]:
    """Return a page of events, newest first."""
    query, business_id = call.query, call.tenant.business_id
    narrowed = EventFilter(
        types=None if query.type is None else (query.type,),
        object_id=query.object_id,
        created_at_gte=in_utc(query.created_at_gte),
        created_at_lte=in_utc(query.created_at_lte),
    )
    async with call.runtime.database.snapshot() as read:
        found = await events.list_events(
            read, call.tenant, narrowed, query.limit + 1, before=query.before, after=query.after
        )
    return cursor_page(found, query, lambda event: event.event_id, lambda event: render_event_item(event, business_id))


async def retrieve(call: Call[None, NoQuery]) -> EventRead:
    """Return one event with its body."""
    async with call.runtime.database.read() as read:
        event = await events.get_event(read, call.tenant, call.path["event_id"])
    if event is None:
        raise Problem("NOT_FOUND", what="Event")
    return render_event_read(event, call.tenant.business_id)


async def list_deliveries(call: Call[None, NoQuery]) -> DeliveryList:
    """Return all deliveries of an event, with each try."""
    event_id = call.path["event_id"]
    async with call.runtime.database.snapshot() as read:
        if await events.get_event(read, call.tenant, event_id) is None:
            raise Problem("NOT_FOUND", what="Event")
        found = await deliveries_of(read, call.tenant, [event_id])
    return DeliveryList(data=[render_delivery(delivery) for delivery in found])


async def redeliver(call: Call[Redeliver, NoQuery]) -> Scheduled:
    """Send an event again."""
    replay = Replay(
        what="all",
        since=EARLIEST,
        until=LATEST,
        event_id=call.path["event_id"],
        endpoint_id=call.body.endpoint_id,
    )
    return Scheduled(scheduled=await replay_events(call.runtime, call.tenant, replay))


async def replay(call: Call[ReplayRequest, NoQuery]) -> Scheduled:
    """Send all events of a range again."""
    body = call.body
    wanted = Replay(
        what=body.what,
        since=in_utc(body.since) or EARLIEST,
        until=in_utc(body.until) or LATEST,
        endpoint_id=body.endpoint_id,
        types=None if body.types is None else tuple(body.types),
    )
    return Scheduled(scheduled=await replay_events(call.runtime, call.tenant, wanted))


OPERATIONS: Final[list[Operation]] = [
    Operation(
        "GET",
        "/events",
        list_,
        CursorPage[EventListItem],
        query=EventListQuery,
        summary="List events, newest first",
        problems=("INVALID_QUERY_PARAMS",),
    ),
    Operation(
        "POST",
        "/events/replay",
        replay,
        Scheduled,
        body=ReplayRequest,
        summary="Send the events of a range again: what failed, what was never sent, or all",
        problems=("NOT_FOUND", "UNSUPPORTED_ACTION", "INVALID_REQUEST_BODY", "INVALID_REQUEST_PARAMETERS"),
    ),
    Operation(
        "GET",
        "/events/{event_id}",
        retrieve,
        EventRead,
        summary="Read an event with its body",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "GET",
        "/events/{event_id}/deliveries",
        list_deliveries,
        DeliveryList,
        summary="Read what became of an event at each endpoint",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "POST",
        "/events/{event_id}/redeliver",
        redeliver,
        Scheduled,
        body=Redeliver,
        summary="Send an event again",
        problems=("NOT_FOUND", "UNSUPPORTED_ACTION", "INVALID_REQUEST_BODY"),
    ),
]
"""The events' part of the table in `app.py`."""
