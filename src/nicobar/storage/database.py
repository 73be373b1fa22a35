"""Connections to PostgreSQL: a small pool, the JSON codec, and the two kinds of connection that storage takes.

`Read` is a connection that is only queried; that of `Database.snapshot()` shows one moment to several queries. `Tx` is
one whose writes commit or vanish together; it is made by `Database.transaction()` and `Database.statement()` alone,
which are called only under `flows/` and in `migrate.py`.

The pool is a plain list, last in first out: asyncpg's own costs an extra round trip for its reset, and nothing here
changes session state that would need one (docs/decisions/0003-raw-sql-and-a-small-pool.md).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NewType, Protocol, TypeAlias

import asyncpg
import msgspec

if TYPE_CHECKING:
    Read: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Read = asyncpg.Connection  # generic in its type stubs only

Tx = NewType("Tx", Read)

Record: TypeAlias = asyncpg.Record

POOL_SIZE: Final = 16
"""Connections that one process has at most, unless it is told otherwise."""

CONNECT_TIMEOUT: Final = 10.0
"""Seconds to wait for a new connection, or for one of the pool to come free."""

COMMAND_TIMEOUT: Final = 30.0
"""Seconds that one statement may take."""


class DatabaseUnavailable(Exception):
    """PostgreSQL cannot be reached, refuses the login, or went away in the middle of a statement."""


class Deadlock(DatabaseUnavailable):
    """PostgreSQL ended a transaction that waited for another, which waited for it; it can be tried again at once."""


class ReferenceGone(Exception):
    """A row is named that is not there, or one is deleted that another names: mostly another was faster to do it."""


class UniqueViolation(Exception):
    """A row with this key exists already; `constraint` names the rule that refused it."""

    def __init__(self, constraint: str) -> None:
        self.constraint = constraint
        super().__init__(constraint)


class Companion(Protocol):
    """Rows that are written in the first commit of a request, whatever it is that commits."""

    written: bool
    """Set when that commit is done."""

    async def write(self, tx: Tx) -> None:
        """Write the rows."""


class WorkAnnounced:
    """The tables in which transactions of this process have committed work that is due at once."""

    def __init__(self) -> None:
        self._tables: set[str] = set()
        self._any = asyncio.Event()

    def tell(self, *tables: str) -> None:
        """Announce tables."""
        self._tables.update(tables)
        self._any.set()

    async def take(self) -> set[str]:
        """Wait for an announcement, and return all tables that have been announced since the last time."""
        await self._any.wait()
        self._any.clear()
        taken, self._tables = self._tables, set()
        return taken


class Database:
    """A pool of at most `size` connections to one database."""

    def __init__(self, dsn: str, size: int = POOL_SIZE, command_timeout: float = COMMAND_TIMEOUT) -> None:
        """Take the address, and the seconds that one statement may take."""
        self.dsn = dsn
        self.application_name = "nicobar"
        """What PostgreSQL calls our connections (`pg_stat_activity`)."""
        self._command_timeout = command_timeout
        self._idle: list[Read] = []
        self.bound(size)
        self._in_use: set[Read] = set()
        self._announcing: dict[Read, set[str]] = {}
        self._companion: Companion | None = None
        self._shared: Database | None = None
        self.work_announced = WorkAnnounced()
        """What wakes the worker of this process."""

    def bound(self, size: int) -> None:
        """Have at most so many connections from now on. To be called before the pool is used."""
        self._slots = asyncio.Semaphore(size)
        self._long_held = asyncio.Semaphore(max(1, size // 4))

    @property
    def connections(self) -> tuple[int, int]:
        """How many connections of the pool are in use, and how many wait."""
        return len(self._in_use), len(self._idle)

    async def connect(self) -> Read:
        """Open a connection outside the pool. Raises DatabaseUnavailable with the driver's words."""
        try:
            connection: Read = await asyncpg.connect(
                self.dsn,
                timeout=CONNECT_TIMEOUT,
                command_timeout=self._command_timeout,
                max_cached_statement_lifetime=0,  # PostgreSQL itself replans what ANALYZE or DDL outdates
                server_settings={"application_name": self.application_name, "timezone": "UTC"},  # for times in JSON
            )
            await connection.set_type_codec(
                "json", encoder=msgspec.json.encode, decoder=msgspec.json.decode, schema="pg_catalog", format="binary"
            )
            await connection.set_type_codec(
                "jsonb", encoder=_encode_jsonb, decoder=_decode_jsonb, schema="pg_catalog", format="binary"
            )
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            raise DatabaseUnavailable(str(error) or type(error).__name__) from error
        return connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Read]:
        """Yield a connection for queries. Raises DatabaseUnavailable when none can be had."""
        async with self._lend() as connection:
            yield connection

    @asynccontextmanager
    async def long_read(self) -> AsyncIterator[Read]:
        """Yield a connection to somebody who keeps it for seconds and takes others meanwhile.

        A quarter of the connections may be kept so, and whoever comes then waits in line: if all were, their holders
        would wait for one another, and everybody else for them.
        """
        async with self._long_held, self._lend() as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Read]:
        """Yield a connection whose queries all see one moment: for an answer that is put together from several.

        Nothing can be written on it, and it never waits for those who write. It costs two round trips.
        """
        async with self._lend() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection

    def accompanied_by(self, companion: Companion) -> "Database":
        """Return the same pool for one request, whose first commit also writes the companion's rows."""
        database = object.__new__(type(self))  # a tenth of the time of copy.copy
        database.__dict__.update(self.__dict__)
        database._companion, database._shared = companion, self.shared
        return database

    @property
    def shared(self) -> "Database":
        """The pool itself, for what is remembered beyond one request."""
        return self._shared or self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """Yield a connection inside a transaction that commits at the end of the block or, on any error, rolls back."""
        companion = self._waiting_companion()
        async with self._lend() as connection:
            try:
                async with connection.transaction():
                    yield Tx(connection)
                    if companion is not None:
                        await companion.write(Tx(connection))
                if companion is not None:
                    companion.written = True
                if connection in self._announcing:
                    self.work_announced.tell(*self._announcing[connection])
            finally:
                self._announcing.pop(connection, None)

    def announce_work(self, tx: Tx, table: str) -> None:
        """Wake the worker of this process when this transaction has committed, for what it leaves behind in a table.

        Other processes find the work when they look. A NOTIFY would tell them, and make commits wait for one another.
        """
        self._announcing.setdefault(tx, set()).add(table)

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Tx]:
        """Yield a connection for exactly one writing statement, which PostgreSQL commits or rolls back by itself.

        It saves the two round trips of BEGIN and COMMIT on the hot path. A companion that has not been written takes a
        transaction after all: who writes it in the statement itself asks the `shared` pool, and notes that.
        """
        if self._waiting_companion() is not None:
            async with self.transaction() as tx:
                yield tx
            return
        async with self._lend() as connection:
            yield Tx(connection)

    def _waiting_companion(self) -> Companion | None:
        return None if self._companion is None or self._companion.written else self._companion

    @asynccontextmanager
    async def _lend(self) -> AsyncIterator[Read]:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._slots.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailable("all connections are busy") from error
        try:
            connection = await self._take()
            self._in_use.add(connection)
            try:
                yield connection
            except asyncpg.UniqueViolationError as error:
                raise UniqueViolation(error.constraint_name or "") from error
            except asyncpg.ForeignKeyViolationError as error:
                raise ReferenceGone(str(error)) from error
            except asyncpg.DeadlockDetectedError as error:
                raise Deadlock(str(error)) from error
            except (
                OSError,
                TimeoutError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
                asyncpg.PostgresConnectionError,
                asyncpg.OperatorInterventionError,
                asyncpg.InsufficientResourcesError,
            ) as error:
                connection.terminate()
                raise DatabaseUnavailable(str(error) or type(error).__name__) from error
            except asyncio.CancelledError:
                # A statement may still be under way on this connection: nobody else may get it.
                connection.terminate()
                raise
            finally:
                self._in_use.discard(connection)
                if not connection.is_closed():
                    self._idle.append(connection)
        finally:
            self._slots.release()

    async def _take(self) -> Read:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await self.connect()

    async def close(self) -> None:
        """Close every idle connection and cut the ones still in use; the server has drained before."""
        for connection in self._in_use:
            connection.terminate()
        while self._idle:
            await self._idle.pop().close(timeout=CONNECT_TIMEOUT)


def end_if_cancelled() -> None:
    """Raise CancelledError when the running task has been told to end, and did not notice.

    A statement in a transaction that is cancelled is rolled back; when the connection breaks just then, the caller gets
    DatabaseUnavailable instead of the cancellation. Python 3.11's `asyncio.wait_for` loses one, too, when what it waits
    for ends in the same moment. A loop that goes on after errors asks here after each round.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _encode_jsonb(value: Any) -> bytes:
    """Encode for the binary wire format of jsonb: a version byte 1, then the JSON text."""
    return b"\x01" + msgspec.json.encode(value)


def _decode_jsonb(data: bytes) -> Any:
    return msgspec.json.decode(memoryview(data)[1:])
