"""Forward test events to a developer's receiver, one after the other."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.forward_event import Forwarded, forward_event
from nicobar.flows.webhooks.open_listener import LATE_NUMBERS, Listener
from nicobar.storage.database import DatabaseUnavailable, end_if_cancelled
from nicobar.storage.webhooks.listeners import events_after

_log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.2
"""How often new events are looked for."""

PAUSE_SECONDS: Final = 2.0
"""How long to wait after the database could not be asked."""


async def forward_events(runtime: Runtime, listener: Listener, report: Callable[[Forwarded], None]) -> None:
    """Forward every event that is committed after the listener was opened, until cancelled.

    `report` is called with each. What the receiver does not take is not sent again by itself. A database that is
    lost is waited for, and what was committed meanwhile is forwarded then; an event that fails because of a bug is
    logged.
    """
    after, seen = listener.after, set(listener.known)
    while True:
        try:
            async with runtime.database.read() as read:
                found = await events_after(read, listener.tenant, after)
            for number in sorted(found.keys() - seen):
                await _forward(runtime, listener, found[number], report)
                seen.add(number)
        except DatabaseUnavailable as error:
            end_if_cancelled()
            _log.warning("events_not_read", why=str(error))
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        after = max(after, max(seen, default=0) - LATE_NUMBERS)
        seen = {number for number in seen if number > after}
        end_if_cancelled()
        await asyncio.sleep(LOOK_SECONDS)


async def _forward(runtime: Runtime, listener: Listener, event_id: str, report: Callable[[Forwarded], None]) -> None:
    try:
        report(await forward_event(runtime, listener, event_id))
    except DatabaseUnavailable:
        raise
    except Exception:  # noqa: BLE001 - one event that fails because of a bug keeps no other waiting
        _log.exception("event_not_forwarded", event_id=event_id)
