"""`nicobar events`: what happened, what became of it at each webhook endpoint, and sending it again."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
from cyclopts import App, Parameter
from cyclopts.validators import Number

from nicobar.commands.terminal.delivery_lines import delivery_lines, summary
from nicobar.commands.terminal.parts import (
    WHERE,
    Data,
    DatabaseUrl,
    InMode,
    Json,
    look_up,
    look_up_one,
    moment,
    print_json,
    print_table,
    refuse_without_database,
    with_runtime,
)
from nicobar.core.counted import counted
from nicobar.core.events.event import EventType
from nicobar.program.banner import answer, plain, say
from nicobar.program.configuration import ConfigurationError, read_configuration

if TYPE_CHECKING:
    from nicobar.core.business.tenant import Tenant
    from nicobar.core.events.event import Event
    from nicobar.core.webhooks.delivery import Delivery
    from nicobar.flows.runtime import Runtime
    from nicobar.storage.database import Read

app = App(
    name="events",
    help_epilogue="""Examples:
  nicobar events list
  nicobar events list --about pay_0ABCdefGHI
  nicobar events show evt_0ABCdefGHI
  nicobar events resend evt_0ABCdefGHI""",
)

EventId = Annotated[str, Parameter(help="The id of the event, as 'nicobar events list' shows it.")]


@app.command(
    name="list",
    help_epilogue=f"""{WHERE}

Examples:
  nicobar events list
  nicobar events list --type payment.failed --count 100
  nicobar events list --about pay_0ABCdefGHI
  nicobar events list --mode live --json""",
)
def list_(
    *,
    count: Annotated[int, Parameter(help="How many [default: 20].", validator=Number(gte=1, lte=10_000))] = 20,
    type: Annotated[EventType | None, Parameter(help="Only events of this type.")] = None,
    about: Annotated[str | None, Parameter(help="Only those about this payment, refund or dispute.")] = None,
    mode: InMode = "test",
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """List events, the newest first, with what became of them at the webhook endpoints."""
    configuration = read_configuration(data=data, database_url=database_url)

    async def query(_runtime: "Runtime", read: "Read", tenant: "Tenant") -> "list[tuple[Event, list[Delivery]]]":
        from nicobar.storage.events.events import EventFilter, list_events
        from nicobar.storage.webhooks.delivery_log import deliveries_of

        narrowed = EventFilter(types=None if type is None else (type,), object_id=about)
        events = await list_events(read, tenant, narrowed, count, before=None, after=None)
        deliveries = await deliveries_of(read, tenant, [event.event_id for event in events])
        of: dict[str, list[Delivery]] = {event.event_id: [] for event in events}
        for delivery in deliveries:
            of[delivery.event_id].append(delivery)
        return [(event, of[event.event_id]) for event in events]

    found = look_up(configuration, "events", mode, query)
    if json:
        print_json([_item(event, deliveries) for event, deliveries in found])
    elif found:
        rows = [
            [event.event_id, moment(event.created_at), event.type, event.object_id, summary(deliveries)]
            for event, deliveries in found
        ]
        print_table(["ID", "CREATED (UTC)", "TYPE", "ABOUT", "DELIVERIES"], rows)
    else:
        say(f"There are no such {mode} events." if type or about else f"There are no {mode} events.", sys.stderr)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar events show evt_0ABCdefGHI
  nicobar events show evt_0ABCdefGHI --json"""
)
def show(
    event_id: EventId,
    /,
    *,
    mode: InMode = "test",
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Show an event: its body as of its moment, and each try to deliver it with the receiver's answer."""
    configuration = read_configuration(data=data, database_url=database_url)

    async def find(_runtime: "Runtime", read: "Read", tenant: "Tenant") -> "tuple[Event, list[Delivery]] | None":
        from nicobar.storage.events.events import get_event
        from nicobar.storage.webhooks.delivery_log import deliveries_of

        event = await get_event(read, tenant, event_id)
        return None if event is None else (event, await deliveries_of(read, tenant, [event_id]))

    event, deliveries = look_up_one(configuration, "event", event_id, mode, find)
    payload = msgspec.json.decode(event.payload)
    if json:
        print_json(_item(event, deliveries) | {"payload": payload})
        return 0
    lines = [f"{event.event_id}  {event.type}  {event.object_id}  {moment(event.created_at)} UTC", "", "Deliveries"]
    lines += [f"  {line}" for line in delivery_lines(deliveries) or ["None."]]
    lines += ["", "Body", *plain_json(payload)]
    answer("\n".join(lines))
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

The event keeps its `webhook-id`, so a receiver that has handled it can tell.
With --forward-to only that address gets it, signed with the secret of
`nicobar listen`; the exit status is 1 when it does not take it.

Examples:
  nicobar events resend evt_0ABCdefGHI
  nicobar events resend evt_0ABCdefGHI --endpoint ep_0ABCdefGHI
  nicobar events resend evt_0ABCdefGHI --forward-to localhost:3000/api/webhook"""
)
def resend(
    event_id: EventId,
    /,
    *,
    endpoint: Annotated[str | None, Parameter(help="Only to this webhook endpoint.")] = None,
    forward_to: Annotated[str | None, Parameter(help="Only to this address, once; in test mode.")] = None,
    mode: InMode = "test",
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Send an event once more, with its object as it is now, to every endpoint that wants it. A server delivers it."""
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "events")
    if forward_to is not None and (endpoint is not None or mode == "live"):
        raise ConfigurationError("--forward-to is for test events, and takes neither --endpoint nor --mode live.")
    from nicobar.program.development.forwarding import forward_address

    address = None if forward_to is None else forward_address(forward_to)

    async def work(opened: "Runtime") -> Sent:
        from nicobar.core.business.tenant import Tenant
        from nicobar.program.installation import beside_its_server, own_business

        runtime = await beside_its_server(opened, configuration)
        tenant = Tenant(await own_business(runtime), mode)
        return await send_again(runtime, tenant, event_id, address, endpoint)

    sent = with_runtime(configuration, work)
    say(sent.words, sys.stderr)
    return 0 if sent.taken else 1


class Sent(NamedTuple):
    """What came of sending an event again."""

    taken: bool
    """Whether the address has taken it, or at least one endpoint is sent it."""
    words: str


async def send_again(
    runtime: "Runtime", tenant: "Tenant", event_id: str, address: str | None, endpoint_id: str | None = None
) -> Sent:
    """Send an event to an address at once, or without one let the worker send it to the endpoints. Raises Problem."""
    if address is not None:
        from nicobar.program.development.forwarding import forward_once, forwarded_text

        forwarded = await forward_once(runtime, event_id, address)
        return Sent(forwarded.answer.failure is None, forwarded_text(forwarded, address))
    from nicobar.flows.webhooks.replay_events import replay_events
    from nicobar.storage.webhooks.delivery_log import Replay
    from nicobar.wire.common import EARLIEST, LATEST

    replay = Replay(what="all", since=EARLIEST, until=LATEST, event_id=event_id, endpoint_id=endpoint_id)
    count = await replay_events(runtime, tenant, replay)
    if count == 0:
        words = "No enabled webhook endpoint wants it, or it is on its way. --forward-to sends it to an address."
        return Sent(False, words)
    return Sent(True, f"It is sent again to {counted(count, 'webhook endpoint')}.")


def plain_json(value: object) -> list[str]:
    """Return a value as lines of JSON, each of which prints."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return [f"  {plain(line)}" for line in text.split("\n")]


def _item(event: "Event", deliveries: "Sequence[Delivery]") -> dict[str, object]:
    from nicobar.wire.webhooks.deliveries import render_delivery

    return {
        "event_id": event.event_id,
        "type": event.type,
        "object_id": event.object_id,
        "created_at": event.created_at,
        "deliveries": [render_delivery(delivery) for delivery in deliveries],
    }
