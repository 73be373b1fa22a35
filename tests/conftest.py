"""What the tests of all rooms share: one PostgreSQL for the whole run, an empty database and a clock for each test.

The server is started once a process (with pytest-xdist once a worker). Its database `nicobar` is only migrated and
then serves as the template of `nicobar_tests`, which is emptied before each test, and of `nicobar_server`, which
belongs to the real HTTP server that sync clients need.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
import structlog
from starlette.types import ASGIApp

from api.subscriptions.subscribing import Club, open_club
from at_stripe import LocalStripe
from cli.program import new_folder
from harness import (
    PUBLIC_URL,
    VAULT,
    Databases,
    EmptyingDatabase,
    FakeClock,
    Merchant,
    Server,
    ServerThread,
    Statements,
    client_for,
    make_keys,
    make_merchant,
)
from nicobar.app import create_app
from nicobar.clock import SystemClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.business.create_business import create_business
from nicobar.flows.runtime import Runtime
from nicobar.flows.test_mode import advance_clock
from nicobar.processors.accounts.registry import built_in_processors
from nicobar.processors.base import Processor
from nicobar.processors.simulator.simulator import Simulator
from nicobar.processors.webhooks.webhooks import Webhooks
from nicobar.program.installation import FOLLOWERS
from nicobar.storage.database import Database, Read
from nicobar.storage.embedded.embedded import EmbeddedPostgres, open_embedded
from nicobar.storage.migrate import migrate
from nicobar.storage.simulator.simulator import SimulatorRecords
from proof import pytest_collection_modifyitems, pytest_terminal_summary
from shop import Shop

__all__ = ["pytest_collection_modifyitems", "pytest_terminal_summary"]

# The one that structlog chooses by itself draws tracebacks with all variables, for seconds in which no server answers.
_LOG: Final = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)


@pytest.fixture(autouse=True)
def plain_log() -> None:
    """Log lines are shown with a failure, in little time."""
    structlog.configure(processors=[structlog.processors.add_log_level, _LOG])


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """The one PostgreSQL of this process. Its folder can be entered by the user that PostgreSQL runs as."""
    folder = Path(tempfile.mkdtemp(prefix="nicobar-tests-"))
    folder.chmod(0o711)
    try:
        with open_embedded(folder / "data") as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session")
async def databases(postgres: EmbeddedPostgres) -> Databases:
    """The maker of databases: `await databases.create("name")` gives a test one of its own."""
    template = Database(postgres.dsn, size=1)
    await migrate(template)
    await template.close()
    return Databases(postgres)


@pytest_asyncio.fixture(scope="session")
async def tests_database(databases: Databases) -> AsyncIterator[EmptyingDatabase]:
    database = Database(await databases.create("nicobar_tests"))
    async with database.read() as connection:
        rows = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname IN ('public', 'simulator') AND tablename <> 'schema_migrations'"
        )
    # Deleting a few rows takes a tenth of the time of truncating; as a replica, no foreign key and no trigger objects.
    deletions = ";".join(f"DELETE FROM {row['name']}" for row in rows)
    again = "SELECT setval('event_numbers', 1, false)"  # so that the same test writes the same rows
    emptying = f"BEGIN; SET LOCAL session_replication_role = replica; {deletions}; {again}; COMMIT"
    yield EmptyingDatabase(database, emptying)
    await database.close()


@pytest.fixture
def clock(request: pytest.FixtureRequest) -> FakeClock:
    """The test's clock. Its randomness depends on the test's name, so that no two tests make the same ids."""
    return FakeClock(request.node.nodeid)


@pytest_asyncio.fixture
async def runtime(tests_database: EmptyingDatabase, clock: FakeClock) -> AsyncIterator[Runtime]:
    """A runtime on an empty database and on the test's clock."""
    await tests_database.empty()
    processors = built_in_processors(clock, PUBLIC_URL, SimulatorRecords(tests_database.database))
    webhooks = Webhooks(VAULT, clock, allow_private=True)
    yield Runtime(
        tests_database.database, clock, PUBLIC_URL, processors, webhooks=webhooks, followers=FOLLOWERS, vault=VAULT
    )
    webhooks.close()


@pytest.fixture
def processor(runtime: Runtime) -> Processor:
    """The processor that charges on the test's runtime; a test that has put in its own names its class."""
    return runtime.processors[Simulator.name]


@pytest.fixture
def simulator(processor: Processor) -> Simulator:
    """The same, where it is the simulator."""
    assert isinstance(processor, Simulator)
    return processor


@pytest.fixture
def app(runtime: Runtime) -> ASGIApp:
    """The whole application on the test's runtime."""
    return create_app(runtime)


@pytest_asyncio.fixture
async def app_client(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    async with client_for(app) as client:
        yield client


@pytest_asyncio.fixture
async def merchant(runtime: Runtime, app: ASGIApp) -> Merchant:
    """The business that the test is about."""
    return await make_merchant(runtime, app, "Dodo Records")


@pytest_asyncio.fixture
async def tenant(runtime: Runtime) -> Tenant:
    """A seller in test mode, without keys."""
    return Tenant(await create_business(runtime, "Dodo Records"), "test")


@pytest_asyncio.fixture
async def other_merchant(runtime: Runtime, app: ASGIApp) -> Merchant:
    """Another business, which must never see anything of the first."""
    return await make_merchant(runtime, app, "Solitaire Books")


@pytest.fixture
def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    """The merchant, who sells once."""
    return Shop(runtime, app, clock, merchant)


@pytest.fixture
def club(merchant: Merchant, app: ASGIApp, runtime: Runtime, clock: FakeClock) -> Club:
    """The merchant, who sells subscriptions."""
    return open_club(merchant, app, runtime, clock)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one process: nobody has to learn of a change of a test clock."""
    monkeypatch.setattr(advance_clock, "SETTLING_SECONDS", 0)


@pytest.fixture
def empty_folder() -> Iterator[Path]:
    """A folder in which there is nothing yet."""
    folder = new_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session")
async def server_thread(databases: Databases) -> AsyncIterator[ServerThread]:
    thread = ServerThread(await databases.create("nicobar_server"))
    thread.start()
    assert await asyncio.to_thread(thread.ready.wait, 10)
    yield thread
    await asyncio.to_thread(thread.stop)


@pytest_asyncio.fixture
async def server(server_thread: ServerThread, databases: Databases) -> Server:
    """A real HTTP server for clients that cannot be given a transport, such as sync ones."""
    database = Database(databases.dsn("nicobar_server"), size=1)
    runtime = Runtime(database=database, clock=SystemClock(), public_url=server_thread.base_url)
    business_id = await create_business(runtime, "Dodo Records")
    keys = await make_keys(runtime, business_id)
    await database.close()
    return Server(server_thread.base_url, Tenant(business_id, "test"), *keys)


@pytest.fixture
def statements(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Statements:
    """Return what hands out the statements since it was asked last, each by its first words, in their order."""
    heard: list[str] = []
    take = Database._take

    async def listening(self: Database) -> Read:
        connection = await take(self)
        connection.add_query_logger(hear)
        return connection

    def hear(record: Any) -> None:
        heard.append(" ".join(record.query.split()))

    async def since() -> list[str]:
        await asyncio.sleep(0)  # the driver tells of a statement in the next turn of the loop
        told = heard[:]
        heard.clear()
        return told

    monkeypatch.setattr(Database, "_take", listening)
    return since


@pytest.fixture(scope="session")
def localstripe() -> Iterator[LocalStripe]:
    """A stand-in for Stripe, as a server of its own."""
    server = LocalStripe()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def other_localstripe() -> Iterator[LocalStripe]:
    """Another account at Stripe, which knows nothing of what happens in the first."""
    server = LocalStripe()
    yield server
    server.stop()
