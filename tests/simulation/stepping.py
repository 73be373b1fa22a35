"""A database at which one task works at a time, in an order that a seed decides, and that fails where a seed says.

Two requests that run side by side meet where they use the database. Here every use is a turn, and the next turn goes
to one of all that wait, drawn by the seed: so tasks interleave in every way that their transactions can, and the same
seed interleaves them the same way. What locks do to transactions that overlap is for `flows/test_races.py`.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import asyncpg

from nicobar.storage.database import Database, DatabaseUnavailable, Read, Tx

ROUNDS_AT_REST = 10
"""Turns of the event loop before the next task is drawn: enough for all that run to come to the database, or to end."""

Fault = Literal["crash", "cancel", "cut", "kill"]
"""The process dies; the request is cancelled; the connection breaks; the server ends the connection."""


class Crash(BaseException):
    """The process has died. Nothing that handles exceptions may handle this one."""


class Turns:
    """Hands out the turns at the database."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._waiting: list[asyncio.Future[None]] = []
        self._holder: asyncio.Task[object] | None = None
        self._taken = False
        self._dealing = False

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        task = asyncio.current_task()
        assert self._holder is not task, "a task asks for a second connection while it holds one"
        await self._wait()
        self._holder = task
        try:
            yield
        finally:
            self._holder = None
            self._taken = False
            self._deal_soon()

    async def _wait(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._deal_soon()
        try:
            await future
        except asyncio.CancelledError:
            if future in self._waiting:
                self._waiting.remove(future)
            else:
                self._taken = False
                self._deal_soon()
            raise

    def _deal_soon(self) -> None:
        if not self._dealing and not self._taken and self._waiting:
            self._dealing = True
            asyncio.get_running_loop().call_soon(self._deal, ROUNDS_AT_REST)

    def _deal(self, pause: int) -> None:
        if pause:
            asyncio.get_running_loop().call_soon(self._deal, pause - 1)
            return
        self._dealing = False
        if not self._taken and self._waiting:
            self._taken = True
            self._waiting.pop(self._chance.randrange(len(self._waiting))).set_result(None)


class SteppedDatabase(Database):
    """The database of one process."""

    def __init__(self, dsn: str, turns: Turns) -> None:
        super().__init__(dsn, size=4)
        self._turns = turns
        self._armed: tuple[Fault, int, bool] | None = None
        self.dead = False
        self.faults: Counter[str] = Counter()
        """What has happened so far."""

    def arm(self, fault: Fault, after: int, *, at_commit: bool) -> None:
        """Let a fault happen after so many of the points at which one can: at the start of each use, or at commits."""
        self._armed = (fault, after, at_commit)

    def disarm(self) -> None:
        self._armed = None

    async def end_idle_connections(self) -> None:
        """Let the server end the connections that nobody uses, as its restart does; return when they are gone."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await _kill(self.dsn, connection)
        self._idle = idle

    @asynccontextmanager
    async def _lend(self) -> AsyncIterator[Read]:
        await self._point("before a use", None)
        async with self._turns.turn():
            await self._point("at the start of a use", None)
            async with super()._lend() as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        async with super().transaction() as tx:
            yield tx
            await self._point("before a commit", tx)
        await self._point("after a commit", None)

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Tx]:
        async with super().statement() as tx:
            yield tx
        await self._point("after a commit", None)

    async def _point(self, where: str, connection: Read | None) -> None:
        """Fail here, if it is the time for it."""
        if self.dead:
            raise Crash
        if self._armed is None or self._armed[2] != where.endswith("commit"):
            return
        fault, after, at_commit = self._armed
        self._armed = (fault, after - 1, at_commit)
        if after:
            return
        self._armed = None
        self.faults[f"{fault} {where}"] += 1
        match fault:
            case "crash":
                self.dead = True
                raise Crash
            case "cancel":
                raise asyncio.CancelledError
            case "kill" if connection is not None:
                await _kill(self.dsn, connection)  # what follows fails by itself
            case _ if connection is None:
                raise DatabaseUnavailable("the connection broke on purpose")
            case _:
                raise asyncpg.ConnectionDoesNotExistError("the connection broke on purpose")


async def _kill(dsn: str, connection: Read) -> None:
    """Let the server end a connection, and return when it has."""
    other = await asyncpg.connect(dsn)
    try:
        pid = connection.get_server_pid()
        await other.execute("SELECT pg_terminate_backend($1, 5000)", pid)
        while not connection.is_closed():
            await asyncio.sleep(0.001)
    finally:
        await other.close()
