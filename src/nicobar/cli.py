"""The command line. Each command reads its configuration, opens what it needs, and calls one thing.

Exit status: 0 done, 1 `doctor` found something wrong, 2 the command could not run or its output could not be written
(one sentence says why), 130 broken off with Ctrl-C. Imports are late, so that a command loads only what it uses.
"""

import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from cyclopts import App, Parameter, validators
from cyclopts.exceptions import CycloptsError, UnusedCliTokensError

from nicobar.commands.terminal.parts import WHERE, Data, DatabaseUrl, Json, print_json
from nicobar.program.banner import OutputError, answer, refuse_output, say, version, write_anything
from nicobar.program.configuration import ConfigurationError, read_configuration, refuse_colours

NO_COLOUR: Final = "--no-color"

app = App(
    name="nicobar",
    help="Nicobar is a self-hosted payment server that speaks the Dodo Payments HTTP API.",
    help_epilogue="""Examples:
  nicobar serve --demo          a server with something to try out
  nicobar keys create           an API key for your application
  nicobar doctor                is everything in order?
  nicobar run -- npm run dev    your application against this server

Each command explains itself: nicobar serve --help
Without colours: --no-color, or NO_COLOR=1 in the environment.""",
    help_format="plaintext",
    version=version,
    default_parameter=Parameter(negative="", show_default=False),
)

app.command("nicobar.commands.keys:app", name="keys", help="Make, list and revoke API keys.")
app.command("nicobar.commands.audit:app", name="audit", help="Show who changed what.")
app.command(
    "nicobar.commands.customers:app", name="customers", help="List customers, show all about one, erase a person."
)
app.command("nicobar.commands.events:app", name="events", help="List events, show what became of one, send one again.")
app.command("nicobar.commands.webhooks:app", name="webhooks", help="Show webhook endpoints; say what is wrong.")
app.command("nicobar.commands.payments:app", name="payments", help="List payments, and show all about one.")
app.command("nicobar.commands.sessions:app", name="sessions", help="List checkout sessions, and show all about one.")
app.command(
    "nicobar.commands.subscriptions:app", name="subscriptions", help="List subscriptions, and show all about one."
)
app.command("nicobar.commands.processors:app", name="processors", help="Connect payment processors, such as Stripe.")
app.command(
    "nicobar.commands.settings:app",
    name="settings",
    help="""List, read and change what your business decides.

Test and live mode have settings of their own. Without --mode live, those of
test mode are meant.""",
)
app.command(
    "nicobar.commands.tax:app",
    name="tax",
    help="""Show, edit and replace the tax table of your business.

The shipped table is a starting point: you answer for the rates you charge.
Tax is charged at all only while the setting 'tax' is 'table'.""",
)
app.command(
    "nicobar.commands.rates:app",
    name="rates",
    help="""Show, import and refresh the exchange rates.

They hold for the whole installation, in test and in live mode alike.""",
)

app.command(
    "nicobar.commands.listen:app",
    name="listen",
    help="""Forward test events to the application that you are writing.

That needs no webhook endpoint. Events are signed with a secret that stays the
same: it is kept with the data, encrypted, and printed at each start. Live
events are not forwarded.""",
)
app.command(
    "nicobar.commands.trigger:app",
    name="trigger",
    help="""Let an event of test mode happen, or send one again that has happened.

A payment of 19.00 USD is made, and charged by the simulator; then it is
declined, refunded, disputed or whatever leads to the event. Nothing is
invented, so the books agree.""",
)
app.command(
    "nicobar.commands.test_mode.clock:app",
    name="clock",
    help="""Show and move the time of test mode.

Test mode can live ahead of real time: renewals, retries, expiries and webhook
retries of months happen in seconds. The clock only moves forward, and live
mode is never moved.""",
)
app.command("nicobar.commands.backup:backup_app", name="backup", help="Write the whole database into a file.")
app.command("nicobar.commands.backup:restore_app", name="restore", help="Load a backup into an empty database.")
app.command("nicobar.commands.sql:app", name="sql", help="Ask the database with SQL.")
app.command("nicobar.commands.run:app", name="run", help="Run an application against this server without an edit.")


@app.command(
    help_epilogue=f"""{WHERE}

More configuration from the environment:
  NICOBAR_PUBLIC_URL  where customers reach this server; every payment link
                      starts with it (default: http://HOST:PORT)
  NICOBAR_LOG         what is logged: debug, info or warning (default: info)
  NICOBAR_METRICS_PORT  port on 127.0.0.1 for Prometheus: /metrics
                      (default: none); of several processes the first has it,
                      the second the next one, and so on
  NICOBAR_ALLOW_PRIVATE_WEBHOOKS=1
                      send webhooks into the own network, too (on with --demo)

Examples:
  nicobar serve --demo
  nicobar serve --port 9000 --data ./data
  nicobar serve --workers 4
  NICOBAR_PUBLIC_URL=https://pay.example.com nicobar serve --host 0.0.0.0
  NICOBAR_DATABASE_URL=postgresql://me:secret@db/nicobar nicobar serve"""
)
def serve(
    *,
    host: Annotated[str | None, Parameter(help="Address to listen on [env: NICOBAR_HOST; default: 127.0.0.1].")] = None,
    port: Annotated[
        int | None, Parameter(help="Port to listen on; 0 takes a free one [env: NICOBAR_PORT; default: 8787].")
    ] = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    demo: Annotated[
        bool, Parameter(help="Set up a shop to try out: products, a test key, a payment that waits to be paid.")
    ] = False,
    no_worker: Annotated[
        bool, Parameter(help="Leave jobs and regular work to `nicobar worker`, which runs beside this server.")
    ] = False,
    workers: Annotated[
        int,
        Parameter(
            help="How many server processes share the port, up to 64 [default: 1].",
            validator=validators.Number(gte=1, lte=64),
        ),
    ] = 1,
) -> int:
    """Serve the API and the payment pages until Ctrl-C, and process jobs meanwhile.

    The embedded database is made at the first start, and stops together with
    the server. Several processes use several cores; one that dies is replaced.
    """
    configuration = read_configuration(host=host, port=port, data=data, database_url=database_url)
    from nicobar.program import startup

    if demo:
        configuration = msgspec.structs.replace(configuration, allow_private_webhooks=True)
    startup.serve(configuration, demo=demo, jobs=not no_worker, processes=workers)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar worker
  NICOBAR_DATABASE_URL=postgresql://me:secret@db/nicobar nicobar worker"""
)
def worker(*, data: Data = None, database_url: DatabaseUrl = None) -> int:
    """Process jobs until Ctrl-C: notices of processors, attempts in doubt, expired links.

    A server does this by itself. Run workers of their own alongside servers
    that were started with --no-worker, as many as you like: each job is done by
    one of them.
    """
    configuration = read_configuration(data=data, database_url=database_url)
    from nicobar.program.background import run_worker

    run_worker(configuration)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Exit status: 0 when everything is in order, 1 when something is not. A warning,
marked with !, does not count.

Examples:
  nicobar doctor
  nicobar doctor --json
  nicobar doctor --data ./data"""
)
def doctor(*, json: Json = False, data: Data = None, database_url: DatabaseUrl = None) -> int:
    """Check this installation, and prove the books. No record is changed.

    Every payment that succeeded must have its charge, its entry in the books
    and its event; every entry must balance; refunds, disputes and codes must
    sum up; nothing may be in doubt for long. A server may run meanwhile.
    """
    configuration = read_configuration(data=data, database_url=database_url)
    from nicobar.program.doctor import examine

    findings = examine(configuration)
    if json:
        print_json([finding.as_json() for finding in findings])
    for finding in () if json else findings:
        answer(finding.text())
    return 1 if any(finding.good is False for finding in findings) else 0


@app.command(
    help_epilogue="""Examples:
  nicobar completion bash > ~/.local/share/bash-completion/completions/nicobar
  nicobar completion zsh > ~/.zfunc/_nicobar
  nicobar completion fish > ~/.config/fish/completions/nicobar.fish"""
)
def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Your shell.")], /) -> int:
    """Print what lets a shell complete commands and options with the Tab key."""
    answer(app.generate_completion(prog_name="nicobar", shell=shell))
    return 0


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return the exit status."""
    write_anything()
    # Whatever follows two hyphens belongs to another program.
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if NO_COLOUR in own:
        arguments = [*(argument for argument in own if argument != NO_COLOUR), *arguments[len(own) :]]
        refuse_colours()
    # Commands clean up on Ctrl-C; a polite request to end is handled the same way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        say(f"nicobar: {_plain(error)}", sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if isinstance(error, OSError):
            error = refuse_output(error) or error
        if not _explains_itself(error):
            raise
        if isinstance(error, OutputError) and error.quiet:
            return 2
        say(f"nicobar: {error}", sys.stderr)
        return 2
    return status if isinstance(status, int) else 0


def _plain(error: CycloptsError) -> str:
    """Return a wrong command line's sentence, with the way to the right one."""
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        sentence = f"{error.unused_tokens[0]!r} is more than this command takes."
    else:
        sentence = str(error).strip()
    return f"{sentence} See: {' '.join(('nicobar', *(error.command_chain or ()), '--help'))}"


def _explains_itself(error: Exception) -> bool:
    """Return whether an error's message is written for the person at the terminal; anything else is a bug of ours."""
    from nicobar.program.installation import InstallationError
    from nicobar.program.ports import PortError
    from nicobar.storage.embedded.embedded import EmbeddedError
    from nicobar.storage.migrate import MigrationError
    from nicobar.vault import VaultError

    kinds = (
        OutputError | ConfigurationError | PortError | InstallationError | EmbeddedError | MigrationError | VaultError
    )
    return isinstance(error, kinds)
