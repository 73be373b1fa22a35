"""`nicobar sessions`: look at checkout sessions, the newest or one with all that was asked for."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number

from nicobar.commands.terminal.parts import (
    WHERE,
    Data,
    DatabaseUrl,
    InMode,
    Json,
    look_up,
    look_up_one,
    print_json,
    print_table,
)
from nicobar.program.banner import answer, say
from nicobar.program.configuration import read_configuration

if TYPE_CHECKING:
    from nicobar.core.business.tenant import Tenant
    from nicobar.core.sessions.checkout_session import CheckoutSession, SessionStatus
    from nicobar.flows.runtime import Runtime
    from nicobar.storage.database import Read

app = App(
    name="sessions",
    help_epilogue="""Examples:
  nicobar sessions list
  nicobar sessions show cks_8mJt0wq5nV2xRkLb7YcQd""",
)


@app.command(
    name="list",
    help_epilogue=f"""{WHERE}

Examples:
  nicobar sessions list
  nicobar sessions list --count 100 --mode live
  nicobar sessions list --json""",
)
def list_(
    *,
    count: Annotated[int, Parameter(help="How many [default: 20].", validator=Number(gte=1, lte=10_000))] = 20,
    mode: InMode = "test",
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """List checkout sessions, the newest first, with the payment that came of each.

    The id of a session opens its page: whoever has it can pay there.
    """
    configuration = read_configuration(data=data, database_url=database_url)

    async def query(runtime: "Runtime", read: "Read", tenant: "Tenant") -> "list[dict[str, Any]]":
        from nicobar.storage.sessions.sessions import list_session_statuses

        found = await list_session_statuses(read, tenant, count)
        return [_told(runtime, tenant, status) for status in found]

    sessions = look_up(configuration, "sessions", mode, query)
    if json:
        print_json(sessions)
    elif sessions:
        columns = ("created_at", "session_id", "state", "payment_id", "payment_status", "customer_id", "customer_email")
        rows = [[_cell(session[column]) for column in columns] for session in sessions]
        print_table(["TIME (UTC)", "SESSION", "STATE", "PAYMENT", "PAYMENT'S STATUS", "CUSTOMER", "EMAIL"], rows)
    else:
        say(f"There are no {mode} sessions yet.", sys.stderr)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar sessions show cks_8mJt0wq5nV2xRkLb7YcQd
  nicobar sessions show cks_8mJt0wq5nV2xRkLb7YcQd --json"""
)
def show(
    session_id: Annotated[str, Parameter(help="The id of the session, as 'nicobar sessions list' shows it.")],
    /,
    *,
    mode: InMode = "test",
    json: Json = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Show one checkout session: its state, its payment, and what was asked for.

    What is shown can be personal data of your customer.
    """
    configuration = read_configuration(data=data, database_url=database_url)

    async def find(
        runtime: "Runtime", read: "Read", tenant: "Tenant"
    ) -> "tuple[dict[str, Any], CheckoutSession] | None":
        from nicobar.storage.sessions.sessions import get_session, get_session_status

        status = await get_session_status(read, tenant, session_id)
        session = await get_session(read, tenant, session_id)
        return None if status is None or session is None else (_told(runtime, tenant, status), session)

    found = look_up_one(configuration, "session", session_id, mode, find)
    from nicobar.wire.common import to_builtins

    told, session = found
    asked = to_builtins(session.request)
    if json:
        print_json(told | {"request": asked})
        return 0
    answer("\n".join(f"{name.replace('_', ' '):16}{_cell(value)}" for name, value in told.items()))
    answer("\nasked for:")
    print_json(asked)
    return 0


def _told(runtime: "Runtime", tenant: "Tenant", status: "SessionStatus") -> dict[str, Any]:
    """Return how far a session has come, with its state."""
    import msgspec

    from nicobar.core.sessions.checkout_session import state_of

    state = state_of(status.payment_status, status.expires_at, runtime.now(tenant))
    fields = msgspec.structs.asdict(status)
    return {"session_id": fields.pop("session_id"), "state": state} | fields


def _cell(value: Any) -> str:
    """Return a value as a table shows it."""
    if value is None:
        return "-"
    return f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "year") else str(value)
