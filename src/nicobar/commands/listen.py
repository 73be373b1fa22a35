"""`nicobar listen`: forward test events to an application that is being written."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from nicobar.commands.terminal.parts import WHERE, Data, DatabaseUrl, refuse_without_database
from nicobar.program.configuration import read_configuration

app = App(
    name="listen",
    help_epilogue=f"""{WHERE}

Each line has the time, the type, the object, the event, and the status that
your application has answered with, or why it was not reached. Nothing is sent
twice by itself. This sends an event again:
  nicobar events resend evt_... --forward-to URL

Examples:
  nicobar listen --forward-to http://localhost:3000/api/webhook
  nicobar listen --forward-to localhost:3000/api/webhook --env .env""",
)


@app.default
def listen(
    *,
    forward_to: Annotated[str, Parameter(help="Where events are posted to; it may be on this computer.")],
    env: Annotated[
        Path | None,
        Parameter(help="Write the secret into this file, as DODO_PAYMENTS_WEBHOOK_KEY=...; the rest of it stays."),
    ] = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Forward test events until Ctrl-C; `cli.py` has the words of the help."""
    configuration = read_configuration(data=data, database_url=database_url)
    refuse_without_database(configuration, "events")
    from nicobar.program.development.forwarding import run_listener

    run_listener(configuration, forward_to, env)
    return 0
