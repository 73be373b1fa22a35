"""Write an event into the outbox, in the transaction of the change that it reports."""

from datetime import datetime

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import Event, EventType
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.events.events import insert_event
from nicobar.wire.events.events import PayloadType, render_event


async def write_event(
    runtime: Runtime,
    tx: Tx,
    tenant: Tenant,
    type: EventType,
    object_id: str,
    payload_type: PayloadType,
    data: msgspec.Struct,
    at: datetime,
) -> None:
    """Store the event with its body as of now; `data` is what GET answers for the object."""
    payload = render_event(tenant.business_id, type, at, payload_type, data)
    await insert_event(tx, tenant, Event(runtime.new_id("evt", at), type, object_id, payload, at))
