"""`nicobar run`: any application against this server, unchanged."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from nicobar.commands.terminal.parts import WHERE, Data
from nicobar.program.banner import say
from nicobar.program.configuration import ConfigurationError, read_configuration

app = App(
    name="run",
    help_epilogue=f"""It uses the server that DODO_PAYMENTS_BASE_URL names, or the one at
http://HOST:PORT (NICOBAR_HOST, NICOBAR_PORT), or starts a demo for as long as
the command runs.

{WHERE}

Redirected are test.dodopayments.com, live.dodopayments.com and the checkout
hosts, in Node (NODE_OPTIONS), Python (PYTHONPATH) and what they start. Other
programs find DODO_PAYMENTS_BASE_URL, DODO_PAYMENTS_API_KEY and
DODO_PAYMENTS_WEBHOOK_KEY. Keys are test keys only.

Exit status: the command's, 128 and its number for a signal, 127 when there is
no such command, 126 when it cannot be started.

Examples:
  nicobar run -- npm run dev
  nicobar run --forward-to localhost:3000/api/webhook -- npm run dev
  nicobar run --forward-to localhost:8000/hook --browser -- python app.py""",
)


@app.default
def run(
    *command: Annotated[str, Parameter(help="The command and its arguments.", allow_leading_hyphen=True)],
    forward_to: Annotated[
        str | None, Parameter(help="Address of the application that webhooks are sent to.", name="--forward-to")
    ] = None,
    browser: Annotated[
        bool, Parameter(help="Open Chromium, for which the vendor's checkout is this server, too [env: CHROMIUM].")
    ] = False,
    data: Data = None,
) -> int:
    """Run an application against this server without an edit.

    Whatever host or environment its code has built in, its requests to the
    vendor arrive here. What cannot be redirected is refused.
    """
    if not command:
        raise ConfigurationError("There is no command. It stands behind two hyphens: nicobar run -- npm run dev")
    configuration = read_configuration(data=data)
    from nicobar.program.development.forwarding import forward_address
    from nicobar.run.command import CommandError
    from nicobar.run.run_command import RunOptions, run_command

    address = None if forward_to is None else forward_address(forward_to)
    try:
        return run_command(configuration, RunOptions(command, address, browser))
    except CommandError as error:
        say(f"nicobar: {error}", sys.stderr)
        return error.status
