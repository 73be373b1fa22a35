"""Forward one event to a developer's receiver, as an endpoint would be sent it, but without a log."""

from typing import NamedTuple

from nicobar.core.events.event import Event
from nicobar.core.problems import Problem
from nicobar.core.webhooks.delivery import Answer
from nicobar.core.webhooks.signature import sign
from nicobar.flows.events.render_event_now import render_event_now
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.open_listener import Listener
from nicobar.storage.webhooks.listeners import event_to_forward


class Forwarded(NamedTuple):
    """An event, and what the receiver made of it."""

    event: Event
    answer: Answer


async def forward_event(runtime: Runtime, listener: Listener, event_id: str) -> Forwarded:
    """Send one event, once. The body is chosen as for an endpoint: frozen, or the object as it is now.

    The receiver may be in the own network. Raises Problem NOT_FOUND.
    """
    assert runtime.webhooks is not None  # noqa: S101 - only some tests go without
    async with runtime.database.snapshot() as read:
        found = await event_to_forward(read, listener.tenant, event_id)
        if found is None:
            raise Problem("NOT_FOUND", what=f"Event {event_id}")
        body = found.event.payload
        if not found.is_newest:
            body = await render_event_now(runtime, read, listener.tenant, found.event)
    headers = sign([listener.secret], found.message_id, runtime.real_now(), body)
    webhooks = runtime.webhooks.for_own_network()
    try:
        return Forwarded(found.event, await webhooks.post(listener.url, headers, body))
    finally:
        webhooks.close()
