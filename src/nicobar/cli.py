"""The command line. Each command reads its settings, opens what it needs, and calls one thing.

Exit status: 0 done, 1 `doctor` found something wrong, 2 the command could not run (one sentence says why), 130 broken
off with Ctrl-C. Imports are late, so that a command loads only what it uses.
"""

import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import App, Parameter
from cyclopts.exceptions import CycloptsError, UnusedCliTokensError

from nicobar.commands.parts import WHERE, Data, DatabaseUrl, InMode, print_table, refuse_without_database, with_runtime
from nicobar.program.banner import say, version
from nicobar.program.settings import SettingsError, read_settings

if TYPE_CHECKING:
    from nicobar.flows.runtime import Runtime

app = App(
    name="nicobar",
    help="Nicobar is a self-hosted payment server that speaks the Dodo Payments HTTP API.",
    help_epilogue="""Examples:
  nicobar serve --demo          a server with something to try out
  nicobar keys create           an API key for your application
  nicobar doctor                is everything in order?

Each command explains itself: nicobar serve --help""",
    help_format="plaintext",
    version=version,
    default_parameter=Parameter(negative="", show_default=False),
)

keys = App(
    name="keys",
    help="Make, list and revoke API keys.",
    help_epilogue="""Examples:
  nicobar keys create
  nicobar keys list
  nicobar keys revoke key_0ABCdefGHIjklMNOpqrST""",
)
app.command(keys)
app.command("nicobar.commands.payments:app", name="payments", help="List payments, and show all about one.")
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


@app.command(
    help_epilogue=f"""{WHERE}

More settings from the environment:
  NICOBAR_PUBLIC_URL  where customers reach this server; every payment link
                      starts with it (default: http://HOST:PORT)
  NICOBAR_LOG         what is logged: debug, info or warning (default: info)
  NICOBAR_ALLOW_PRIVATE_WEBHOOKS=1
                      send webhooks into the own network, too (on with --demo)

Examples:
  nicobar serve --demo
  nicobar serve --port 9000 --data ./data
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
) -> int:
    """Serve the API and the payment pages until Ctrl-C, and work off jobs meanwhile.

    The embedded database is made at the first start, and stops together with the server.
    """
    settings = read_settings(host=host, port=port, data=data, database_url=database_url)
    from nicobar.program import startup

    if demo:
        settings = msgspec.structs.replace(settings, allow_private_webhooks=True)
    startup.serve(settings, demo=demo, jobs=not no_worker)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar worker
  NICOBAR_DATABASE_URL=postgresql://me:secret@db/nicobar nicobar worker"""
)
def worker(*, data: Data = None, database_url: DatabaseUrl = None) -> int:
    """Work off jobs until Ctrl-C: notices of processors, attempts in doubt, expired links.

    A server does this by itself. Run workers of their own beside servers that
    were started with --no-worker, as many as you like: each job is done by one
    of them.
    """
    settings = read_settings(data=data, database_url=database_url)
    from nicobar.program.background import run_worker

    run_worker(settings)
    return 0


@keys.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar keys create
  nicobar keys create --mode live --read-only
  export DODO_PAYMENTS_API_KEY=$(nicobar keys create)"""
)
def create(
    *,
    mode: InMode = "test",
    read_only: Annotated[bool, Parameter(help="The key can read, but not change anything.")] = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Make an API key and print it, and nothing else, on the standard output.

    It is shown this once: only its hash is stored. It works at once, also on a server that runs already.
    """
    settings = read_settings(data=data, database_url=database_url)

    async def work(runtime: "Runtime") -> str:
        from nicobar.core.business.tenant import Tenant
        from nicobar.flows.business.create_key import create_key
        from nicobar.program.installation import own_business

        _, text = await create_key(runtime, Tenant(await own_business(runtime), mode), read_only)
        return text

    say(with_runtime(settings, work))
    return 0


@keys.command(
    name="list",
    help_epilogue=f"""{WHERE}

Examples:
  nicobar keys list
  nicobar keys list --data ./data""",
)
def list_(*, data: Data = None, database_url: DatabaseUrl = None) -> int:
    """List the API keys, the revoked ones too. The keys themselves are not stored; the hint is how a key ends."""
    settings = read_settings(data=data, database_url=database_url)
    refuse_without_database(settings, "keys")

    async def work(runtime: "Runtime") -> list[list[str]]:
        from nicobar.storage.business.businesses import first_business
        from nicobar.storage.business.keys import list_keys

        async with runtime.database.snapshot() as read:
            business_id = await first_business(read)
            found = [] if business_id is None else await list_keys(read, business_id)
        return [
            [
                key.key_id,
                key.tenant.mode,
                "read" if key.read_only else "write",
                f"...{key.hint}",
                f"{created_at:%Y-%m-%d %H:%M}",
                "-" if revoked_at is None else f"{revoked_at:%Y-%m-%d %H:%M}",
            ]
            for key, created_at, revoked_at in found
        ]

    rows = with_runtime(settings, work)
    if not rows:
        from nicobar.program.banner import command

        say(f"There are no API keys yet. Make one with: {command(settings, 'keys create')}", sys.stderr)
        return 0
    print_table(["ID", "MODE", "ACCESS", "HINT", "CREATED (UTC)", "REVOKED (UTC)"], rows)
    return 0


@keys.command(
    help_epilogue=f"""{WHERE}

Examples:
  nicobar keys list
  nicobar keys revoke key_0ABCdefGHIjklMNOpqrST"""
)
def revoke(
    key_id: Annotated[str, Parameter(help="The id of the key, as 'nicobar keys list' shows it.")],
    /,
    *,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> int:
    """Make an API key worthless, for good. A running server may take it for a few seconds more."""
    settings = read_settings(data=data, database_url=database_url)
    refuse_without_database(settings, "keys")

    async def work(runtime: "Runtime") -> None:
        from nicobar.core.problems import Problem
        from nicobar.flows.business.revoke_key import revoke_key
        from nicobar.storage.business.businesses import first_business

        async with runtime.database.read() as read:
            business_id = await first_business(read)
        try:
            await revoke_key(runtime, business_id or "", key_id)
        except Problem as problem:
            raise SettingsError(
                f"There is no valid key with the id {key_id!r}. 'nicobar keys list' shows the ids; the key itself, "
                "nicobar_..., is not one."
            ) from problem

    with_runtime(settings, work)
    say(f"The key {key_id} is revoked.", sys.stderr)
    return 0


@app.command(
    help_epilogue=f"""{WHERE}

Exit status: 0 when everything is in order, 1 when something is not.

Examples:
  nicobar doctor
  nicobar doctor --data ./data"""
)
def doctor(*, data: Data = None, database_url: DatabaseUrl = None) -> int:
    """Check this installation, and prove the books. No record is changed.

    Every payment that succeeded must have its charge, its entry in the books
    and its event; every entry must balance; refunds, disputes and codes must
    sum up; nothing may be in doubt for long. A server may run meanwhile.
    """
    settings = read_settings(data=data, database_url=database_url)
    from nicobar.program.doctor import examine

    findings = examine(settings)
    for finding in findings:
        say(finding.text())
    return 1 if any(finding.good is False for finding in findings) else 0


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return the exit status."""
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
        if not _explains_itself(error):
            raise
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

    kinds = SettingsError | PortError | InstallationError | EmbeddedError | MigrationError | VaultError
    return isinstance(error, kinds)
