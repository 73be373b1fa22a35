"""The things that the shared fixtures hand to tests; `conftest.py` makes them."""

import asyncio
import base64
import random
import socket
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from nicobar.app import create_app
from nicobar.clock import SystemClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.business.create_business import create_business
from nicobar.flows.business.create_key import create_key
from nicobar.flows.runtime import Runtime
from nicobar.processors.accounts.registry import built_in_processors
from nicobar.processors.webhooks.webhooks import Webhooks
from nicobar.program.installation import FOLLOWERS
from nicobar.storage.database import Database
from nicobar.storage.embedded.embedded import EmbeddedPostgres
from nicobar.storage.simulator.simulator import SimulatorRecords
from nicobar.vault import Keys, Vault

START = datetime(2026, 3, 14, 15, 9, 26, 535897, tzinfo=UTC)
"""When every test begins."""

PUBLIC_URL = "http://pay.test"

VAULT_KEYS = Keys.parse(base64.b64encode(bytes(range(32))).decode())
"""What secrets of the tests are encrypted with."""

VAULT = Vault(VAULT_KEYS, None)
"""What tests encrypt with."""


Statements = Callable[[], Awaitable[list[str]]]
"""Hands out the statements since it was asked last, each on one line."""


class FakeClock:
    """A clock that stands still until it is told otherwise, and randomness that repeats.

    Objects made at one moment have ids in random order: call `advance` between them where the order matters.
    """

    def __init__(self, seed: str) -> None:
        self.moment = START
        self._elapsed = timedelta()
        self._random = random.Random(seed)  # noqa: S311 - tests want to repeat

    def now(self) -> datetime:
        return self.moment

    def elapsed(self) -> timedelta:
        return self._elapsed

    def correct(self, **difference: float) -> None:
        """Set the time of day to another one, as somebody does who finds that the clock is wrong."""
        self.moment += timedelta(**difference)

    def advance(self, **duration: float) -> datetime:
        """Move on, for example by `minutes=5`, and return the new time."""
        self.moment += timedelta(**duration)
        self._elapsed += timedelta(**duration)
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


@dataclass
class EmptyingDatabase:
    """The database that all tests use in turn."""

    database: Database
    emptying: str = field(repr=False)

    async def empty(self) -> None:
        async with self.database.read() as connection:
            await connection.execute(self.emptying)


def client_for(app: ASGIApp, key: str | None = None) -> httpx.AsyncClient:
    """Return a client that calls `app` in this process, with `key` as its API key."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://nicobar.test", headers=headers)


async def make_keys(runtime: Runtime, business_id: str) -> tuple[str, str, str]:
    """Return a test key, a read-only test key and a live key of the business."""
    test, live = Tenant(business_id, "test"), Tenant(business_id, "live")
    pairs = [
        await create_key(runtime, tenant, read_only)
        for tenant, read_only in ((test, False), (test, True), (live, False))
    ]
    return pairs[0][1], pairs[1][1], pairs[2][1]


async def make_merchant(runtime: Runtime, app: ASGIApp, name: str) -> Merchant:
    """Return a new business whose clients call `app`."""
    business_id = await create_business(runtime, name)
    keys = await make_keys(runtime, business_id)
    clients = [client_for(app, key) for key in keys]
    return Merchant(Tenant(business_id, "test"), Tenant(business_id, "live"), *keys, *clients)


class ServerThread(threading.Thread):
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
        clock = SystemClock()
        processors = built_in_processors(clock, self.base_url, SimulatorRecords(database))
        webhooks = Webhooks(VAULT, clock, allow_private=True)
        app = create_app(
            Runtime(database, clock, self.base_url, processors, webhooks=webhooks, followers=FOLLOWERS, vault=VAULT)
        )
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
