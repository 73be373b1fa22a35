"""Give an event the body that it has at the end of its transaction."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import Event
from nicobar.flows.events.render_event_now import render_event_now
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.events.events import update_event


async def complete_event(runtime: Runtime, tx: Tx, tenant: Tenant, event: Event) -> None:
    """Replace the body of an event that this transaction has written: followers have changed what it is about.

    It keeps its place before the events that they wrote.
    """
    await update_event(tx, tenant, event.event_id, await render_event_now(runtime, tx, tenant, event))
