"""One installation: a database whose schema is up to date, and the business in it. What commands work with."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Final

import uvloop

from nicobar.clock import SystemClock
from nicobar.core.business.business_settings import DEFAULT_NAME
from nicobar.core.counted import counted
from nicobar.core.webhooks.endpoint import listener_place
from nicobar.flows.business.create_business import create_business
from nicobar.flows.business_time.recall_clocks import recall_clocks
from nicobar.flows.runtime import Follower, Runtime
from nicobar.flows.subscriptions.follow_payment import follow_payment
from nicobar.processors.accounts.accounts import Accounts
from nicobar.processors.accounts.registry import built_in_processors
from nicobar.processors.webhooks.webhooks import Webhooks
from nicobar.program.banner import say, step
from nicobar.program.configuration import Configuration, local_url, without_password
from nicobar.program.logs import configure_logs
from nicobar.program.postgres import Postgres, data_folder, key_file, open_audit_seal
from nicobar.program.stop import Stop
from nicobar.storage.accounts.processor_accounts import all_accounts
from nicobar.storage.business.businesses import first_business
from nicobar.storage.database import CONNECT_TIMEOUT, POOL_SIZE, Database, DatabaseUnavailable, Read
from nicobar.storage.inspection import (
    FIRST_BUSINESS,
    PRIVATE,
    SERVER_NAME,
    advisory_lock,
    allowed_connections,
    server_addresses,
    serves_privately,
)
from nicobar.storage.migrate import migrate
from nicobar.storage.simulator.simulator import SimulatorRecords
from nicobar.storage.webhooks.endpoints import all_endpoints
from nicobar.storage.webhooks.listeners import all_listen_secrets
from nicobar.vault import Vault, VaultError

# By SQLSTATE, because PostgreSQL's sentences come in the language of its installation.
_ADVICE: Final = {
    "28P01": "Check the user name and the password.",
    "28000": "Check the user name, and whether pg_hba.conf of that PostgreSQL lets this user in from here.",
    "3D000": "Create the database first, for example with the command createdb, or correct its name in the address.",
    "42501": "Give this user the right to create tables there, for example by making it the owner of the database.",
    "53300": "Close other programs that use it, or raise max_connections of that PostgreSQL.",
    "57P03": "It is starting or stopping; try again in a moment.",
}
_UNREACHABLE: Final = "Check that PostgreSQL runs, and that the address and the port are right."


FOLLOWERS: Final[tuple[Follower, ...]] = (
    Follower(lambda payment: payment.options.charges_subscription, follow_payment),
)
"""What is above payments and has its part in their moves, in this order."""


SPARED_CONNECTIONS: Final = 12
"""Connections of PostgreSQL that several processes leave to commands, backups and workers of their own."""

LEAST_CONNECTIONS: Final = 4
"""Connections that one process needs: those who hold one may ask for a second."""


class InstallationError(Exception):
    """The database of this installation cannot be used; the message says why and gives advice."""


@asynccontextmanager
async def open_runtime(
    postgres: Postgres, configuration: Configuration, port: int, *, serving: bool = False, processes: int = 1
) -> AsyncIterator[Runtime]:
    """Yield a runtime on a database whose schema is up to date.

    `port` is where the server listens, or would: it is part of every payment link. A server that is `serving` tells
    the database its address, so that commands find it; several `processes` that serve together share the connections
    that PostgreSQL allows. Raises InstallationError or MigrationError.
    """
    database, clock, public_url = Database(postgres.dsn), SystemClock(), configuration.base_url(port)
    if serving:
        database.application_name = "".join(
            (SERVER_NAME, PRIVATE * configuration.allow_private_webhooks, local_url(configuration.host, port))
        )
    vault = Vault(configuration.encryption_keys, key_file(configuration))
    accounts, webhooks = (
        Accounts(vault, clock),
        Webhooks(vault, clock, allow_private=configuration.allow_private_webhooks),
    )
    try:
        with explained(configuration):
            if processes > 1:
                database.bound(share_of_connections(await allowed_connections(database), processes))
            await migrate(database)
        processors = built_in_processors(clock, public_url, SimulatorRecords(database))
        seal = open_audit_seal(configuration)
        runtime = Runtime(
            database, clock, public_url, processors, accounts, webhooks, FOLLOWERS, audit_seal=seal, vault=vault
        )
        await recall_clocks(runtime)
        yield runtime
    finally:
        webhooks.close()
        await accounts.close()
        await database.close()


def share_of_connections(allowed: int, processes: int) -> int:
    """Return how many connections each process may have, so that some are left for commands and backups.

    Raises InstallationError when those that PostgreSQL allows are too few.
    """
    share = (allowed - SPARED_CONNECTIONS) // processes
    if share < LEAST_CONNECTIONS:
        needed = SPARED_CONNECTIONS + processes * LEAST_CONNECTIONS
        raise InstallationError(
            f"PostgreSQL allows {counted(allowed, 'connection')}, of the {needed} that "
            f"{counted(processes, 'server process', 'server processes')} must have. "
            f"Take fewer with --workers, or raise max_connections of that PostgreSQL."
        )
    return min(POOL_SIZE, share)


async def check_secrets(runtime: Runtime) -> None:
    """Ensure that secrets of accounts and webhooks can be decrypted here, and that there is a key for those to come.

    Raises InstallationError.
    """
    try:
        async with runtime.database.snapshot() as read:
            accounts = await all_accounts(read)
            if runtime.webhooks is not None:
                await open_webhook_secrets(read, runtime.webhooks.open)
        for account in accounts:
            if runtime.accounts is not None and account.retired_at is None:
                runtime.accounts.open(account)
        if runtime.vault is not None:
            runtime.vault.ensure_key()
        if runtime.audit_seal is not None:
            runtime.audit_seal.ensure_key()
    except VaultError as error:
        raise InstallationError(str(error)) from error


async def open_webhook_secrets(read: Read, open_secret: Callable[[str, bytes], object]) -> int:
    """Decrypt the secrets of all endpoints and of `nicobar listen`, and return how many there are.

    `open_secret` takes the place that a secret is tied to and the secret. Raises VaultError.
    """
    secrets = [(endpoint.place, endpoint.secret) for endpoint in await all_endpoints(read)]
    listeners = await all_listen_secrets(read)
    secrets += [(listener_place(business_id), secret) for business_id, secret in listeners.items()]
    for place, secret in secrets:
        open_secret(place, secret)
    return len(secrets)


@contextmanager
def explained(configuration: Configuration) -> Iterator[None]:
    """Turn what PostgreSQL says while it is opened into an InstallationError with advice."""
    try:
        yield
    except Exception as error:
        state = getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None)
        if state is None and not isinstance(error, DatabaseUnavailable):
            raise  # not PostgreSQL's words: an error that explains itself, or a bug of ours
        raise InstallationError(_sentence(configuration, _words(error), state)) from error


def _words(error: Exception) -> str:
    """Return why PostgreSQL cannot be used, in plain words where the system's are none."""
    cause = error.__cause__
    if isinstance(cause, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(cause, TimeoutError):
        return f"it did not answer within {CONNECT_TIMEOUT:.0f} seconds"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(error)


def _sentence(configuration: Configuration, words: str, state: str | None) -> str:
    words = without_password(words, configuration.database_url).rstrip(".")
    if configuration.database_url is None:
        log = data_folder(configuration) / "postgres.log"
        return f"The embedded PostgreSQL does not work: {words}. Its log may tell why: {log}"
    advice = _ADVICE.get(state or "", _UNREACHABLE)
    return f"The database {configuration.masked_database_url} cannot be used: {words}. {advice}"


async def known_address(runtime: Runtime, configuration: Configuration) -> str | None:
    """Return where customers reach the server: NICOBAR_PUBLIC_URL, else where one that runs on this database listens.

    None without either: only the configuration of the next server decides it.
    """
    if configuration.public_url is not None:
        return configuration.public_url
    async with runtime.database.read() as read:
        return next(iter(await server_addresses(read)), None)


async def beside_its_server(runtime: Runtime, configuration: Configuration) -> Runtime:
    """Return the runtime of a command that does a server's work: links begin as those of the server that runs.

    NICOBAR_PUBLIC_URL goes before it, as in the server; without a server the usual address stays. Webhooks go where
    that server sends them, into its own network, too.
    """
    async with runtime.database.read() as read:
        if runtime.webhooks is not None and await serves_privately(read):
            runtime.webhooks.allow_private = True
    return runtime._replace(public_url=await known_address(runtime, configuration) or runtime.public_url)


async def own_business(runtime: Runtime) -> str:
    """Return the id of the installation's business, made on first need. For now an installation has exactly one.

    The lock sees to that when a server and a command are started at the same moment.
    """
    async with runtime.database.read() as read:
        if found := await first_business(read):
            return found
        async with advisory_lock(read, FIRST_BUSINESS):
            return await first_business(read) or await create_business(runtime, DEFAULT_NAME)


OpenWork = Callable[[Runtime, Postgres], AbstractAsyncContextManager[None]]
"""What goes on while its block is open."""


def run_until_stopped(configuration: Configuration, work: OpenWork) -> None:
    """Open the installation, let the work go on until a signal, and release everything again.

    Raises EmbeddedError, InstallationError or MigrationError, and what the work raises.
    """
    configure_logs(configuration.log)
    with Stop() as stop:
        with step("Opening the database"):
            postgres = Postgres(configuration)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, suppress(asyncio.CancelledError):
                runner.run(_until(stop, configuration, postgres, work))
        finally:
            postgres.release()
    say("Stopped.")


async def _until(stop: Stop, configuration: Configuration, postgres: Postgres, work: OpenWork) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    with stop.calling(lambda: loop.call_soon_threadsafe(stopped.set)):
        async with open_runtime(postgres, configuration, configuration.port) as runtime, work(runtime, postgres):
            await stopped.wait()
