"""`nicobar trigger`: let an event of test mode happen, or send one again that has happened."""

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from nicobar.commands.terminal.parts import (
    WHERE,
    Data,
    DatabaseUrl,
    Json,
    print_json,
    refuse_without_database,
    with_runtime,
)
from nicobar.core.events.event import EventType
from nicobar.program.banner import answer, say
from nicobar.program.configuration import read_configuration

if TYPE_CHECKING:
    from nicobar.commands.events import Sent
    from nicobar.core.events.event import Event
    from nicobar.flows.runtime import Runtime

app = App(
    name="trigger",
    help_epilogue=f"""{WHERE}

Webhook endpoints of test mode and `nicobar listen` get the event as any other.
With --forward-to one address gets it besides, also on this computer, signed
with the secret of `nicobar listen`; the exit status is 1 when it is not taken.

Examples:
  nicobar trigger payment.succeeded
  nicobar trigger subscription.on_hold
  nicobar trigger dispute.lost --forward-to localhost:3000/api/webhook
  nicobar trigger refund.succeeded --payment pay_0ABCdefGHI""",
)

ForwardTo = Annotated[str | None, Parameter(help="Send it to this address as well, once.")]


@app.default
def trigger(
    type: Annotated[EventType, Parameter(help="The type of the event.")],
    /,
    *,
    payment: Annotated[
        str | None, Parameter(help="Send again what was told about this payment, instead of making a new one.")
    ] = None,
    forward_to: ForwardTo = None,
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Let an event happen; `cli.py` has the words of the help."""
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "events")
    from nicobar.program.development.forwarding import forward_address

    address = None if forward_to is None else forward_address(forward_to)

    async def work(opened: "Runtime") -> "tuple[Event, Sent | None]":
        from nicobar.commands.events import send_again
        from nicobar.core.business.tenant import Tenant
        from nicobar.flows.webhooks.find_event import find_event
        from nicobar.flows.webhooks.trigger_event import trigger_event
        from nicobar.program.installation import beside_its_server, own_business

        runtime = await beside_its_server(opened, configuration)
        tenant = Tenant(await own_business(runtime), "test")
        if payment is None:
            event = await trigger_event(runtime, tenant, type)
        else:
            event = await find_event(runtime, tenant, payment, type)
        again = payment is not None or address is not None
        return event, await send_again(runtime, tenant, event.event_id, address) if again else None

    event, sent = with_runtime(configuration, work)
    if json:
        print_json({"event_id": event.event_id, "type": event.type, "object_id": event.object_id})
    else:
        answer(f"{event.event_id}  {event.type}  {event.object_id}")
    if sent is None:
        return 0
    say(sent.words, sys.stderr)
    return 0 if sent.taken else 1
