"""What the tests of all rooms share: one PostgreSQL for the whole run, an empty database and a clock for each test.

The server is started once a process (with pytest-xdist once a worker). Its database `nicobar` is only migrated and
then serves as the template of `nicobar_tests`, which is emptied before each test, and of `nicobar_server`, which
belongs to the real HTTP server that sync clients need.
"""

import asyncio
import random
import shutil
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from starlette.types import ASGIApp

from nicobar.app import create_app
from nicobar.clock import SystemClock
from nicobar.core.tenant import Tenant
from nicobar.flows.create_business import create_business
from nicobar.flows.create_key import create_key
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Database
from nicobar.storage.embedded import EmbeddedPostgres, open_embedded
from nicobar.storage.migrate import migrate

START = datetime(2026, 3, 14, 15, 9, 26, 535897, tzinfo=UTC)
"""When every test begins."""

PUBLIC_URL = "http://pay.test"


class FakeClock:
    """A clock that stands still until it is told otherwise, and randomness that repeats.

    Objects made at one moment have ids in random order: call `advance` between them where the order matters.
    """

    def __init__(self, seed: str) -> None:
        self.moment = START
        self._random = random.Random(seed)  # noqa: S311 - tests want to repeat

    def now(self) -> datetime:
        return self.moment

    def advance(self, **duration: float) -> datetime:
        """Move on, for example by `minutes=5`, and return the new time."""
        self.moment += timedelta(**duration)
        return self.moment

    def random_bits(self, count: int) -> int:
        return self._random.getrandbits(count)

    def random_bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)


@dataclass
class Merchant:
    """A business with three keys and a client for each of them."""

    tenant: Tenant
    live_tenant: Tenant
    key: str
    read_only_key: str
    live_key: str
    client: httpx.AsyncClient
    read_only_client: httpx.AsyncClient
    live_client: httpx.AsyncClient

    @property
    def business_id(self) -> str:
        return self.tenant.business_id


@dataclass
class Server:
    """A real server on 127.0.0.1, and a business of its own for the test."""

    base_url: str
    tenant: Tenant
    key: str
    read_only_key: str
    live_key: str


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


@dataclass
class Databases:
    """Databases of the test server, made as copies of a migrated one."""

    server: EmbeddedPostgres
    template: str = "nicobar"

    def dsn(self, name: str) -> str:
        return self.server.dsn.replace(f"/{self.template}?", f"/{name}?")

    async def create(self, name: str) -> str:
        """Make a database with the schema, return its address. Its commits do not wait for the disk."""
        maintenance = Database(self.dsn("postgres"), size=1)
        async with maintenance.read() as connection:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {self.template}")
            await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        await maintenance.close()
        return self.dsn(name)


@pytest_asyncio.fixture(scope="session")
async def databases(postgres: EmbeddedPostgres) -> Databases:
    """The maker of databases: `await databases.create("name")` gives a test one of its own."""
    template = Database(postgres.dsn, size=1)
    await migrate(template)
    await template.close()
    return Databases(postgres)


@dataclass
class EmptyingDatabase:
    """The database that all tests use in turn."""

    database: Database
    emptying: str = field(repr=False)

    async def empty(self) -> None:
        async with self.database.read() as connection:
            await connection.execute(self.emptying)


@pytest_asyncio.fixture(scope="session")
async def tests_database(databases: Databases) -> AsyncIterator[EmptyingDatabase]:
    database = Database(await databases.create("nicobar_tests"))
    async with database.read() as connection:
        rows = await connection.fetch(
            "SELECT quote_ident(tablename) AS name FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> 'schema_migrations'"
        )
    # Deleting a few rows takes a tenth of the time of truncating; as a replica, no foreign key and no trigger objects.
    deletions = ";".join(f"DELETE FROM {row['name']}" for row in rows)
    emptying = f"BEGIN; SET LOCAL session_replication_role = replica; {deletions}; COMMIT"
    yield EmptyingDatabase(database, emptying)
    await database.close()


@pytest.fixture
def clock(request: pytest.FixtureRequest) -> FakeClock:
    """The test's clock. Its randomness depends on the test's name, so that no two tests make the same ids."""
    return FakeClock(request.node.nodeid)


@pytest_asyncio.fixture
async def runtime(tests_database: EmptyingDatabase, clock: FakeClock) -> Runtime:
    """A runtime on an empty database and on the test's clock."""
    await tests_database.empty()
    return Runtime(database=tests_database.database, clock=clock, public_url=PUBLIC_URL)


@pytest.fixture
def app(runtime: Runtime) -> ASGIApp:
    """The whole application on the test's runtime."""
    return create_app(runtime)


def client_for(app: ASGIApp, key: str | None = None) -> httpx.AsyncClient:
    """Return a client that calls `app` in this process, with `key` as its API key."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://nicobar.test", headers=headers)


@pytest_asyncio.fixture
async def app_client(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    async with client_for(app) as client:
        yield client


async def _keys(runtime: Runtime, business_id: str) -> tuple[str, str, str]:
    test, live = Tenant(business_id, "test"), Tenant(business_id, "live")
    pairs = [
        await create_key(runtime, tenant, read_only) for tenant, read_only in ((test, False), (test, True), (live, False))
    ]
    return pairs[0][1], pairs[1][1], pairs[2][1]


async def _merchant(runtime: Runtime, app: ASGIApp, name: str) -> Merchant:
    business_id = await create_business(runtime, name)
    keys = await _keys(runtime, business_id)
    clients = [client_for(app, key) for key in keys]
    return Merchant(Tenant(business_id, "test"), Tenant(business_id, "live"), *keys, *clients)


@pytest_asyncio.fixture
async def merchant(runtime: Runtime, app: ASGIApp) -> Merchant:
    """The business that the test is about."""
    return await _merchant(runtime, app, "Dodo Records")


@pytest_asyncio.fixture
async def other_merchant(runtime: Runtime, app: ASGIApp) -> Merchant:
    """Another business, which must never see anything of the first."""
    return await _merchant(runtime, app, "Solitaire Books")


class _ServerThread(threading.Thread):
    """Serves HTTP in a thread with an event loop of its own, on a port that the system chose."""

    def __init__(self, dsn: str) -> None:
        super().__init__(name="nicobar-test-server", daemon=True)
        self._dsn = dsn
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.ready = threading.Event()
        self._server: uvicorn.Server | None = None

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        database = Database(self._dsn)
        app = create_app(Runtime(database=database, clock=SystemClock(), public_url=self.base_url))
        config = uvicorn.Config(_announcing(app, self.ready), lifespan="on", log_config=None, access_log=False)
        self._server = uvicorn.Server(config)
        await self._server.serve(sockets=[self._socket])
        await database.close()

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
        self.join(timeout=10)
        self._socket.close()


def _announcing(app: ASGIApp, ready: threading.Event) -> ASGIApp:
    """Wrap `app` so that `ready` is set when the server starts; connections made from then on wait for it."""

    async def announcing(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        await receive()
        ready.set()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    return announcing


@pytest_asyncio.fixture(scope="session")
async def server_thread(databases: Databases) -> AsyncIterator[_ServerThread]:
    thread = _ServerThread(await databases.create("nicobar_server"))
    thread.start()
    assert await asyncio.to_thread(thread.ready.wait, 10)
    yield thread
    await asyncio.to_thread(thread.stop)


@pytest_asyncio.fixture
async def server(server_thread: _ServerThread, databases: Databases) -> Server:
    """A real HTTP server for clients that cannot be given a transport, such as sync ones."""
    database = Database(databases.dsn("nicobar_server"), size=1)
    runtime = Runtime(database=database, clock=SystemClock(), public_url=server_thread.base_url)
    business_id = await create_business(runtime, "Dodo Records")
    keys = await _keys(runtime, business_id)
    await database.close()
    return Server(server_thread.base_url, Tenant(business_id, "test"), *keys)
