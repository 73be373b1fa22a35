"""How PostgreSQL would run the statements that a test has heard: which tables it would read, by which indexes."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from harness import Databases
from nicobar.storage.database import Database, Read

Plan = dict[str, Any]
"""A node of a plan, as EXPLAIN (FORMAT JSON) has it."""

Heard = dict[str, tuple[Any, ...]]
"""Statements with the values that they were run with."""


class Listening(Database):
    """A database that remembers its statements."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, size=4)
        self.heard: Heard = {}

    async def connect(self) -> Read:
        connection = await super().connect()
        connection.add_query_logger(self._hear)
        return connection

    def _hear(self, record: asyncpg.connection.LoggedQuery) -> None:
        many = bool(record.args) and isinstance(record.args, list)
        self.heard[record.query] = tuple(record.args[0] if many else record.args)


@asynccontextmanager
async def never_analysed(databases: Databases, name: str) -> AsyncIterator[Listening]:
    """Yield a new database that nobody analyzes unasked."""
    database = Listening(await databases.create(name))
    async with database.read() as read:
        for row in await read.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
            await read.execute(f"ALTER TABLE {row['tablename']} SET (autovacuum_enabled = false)")
    yield database
    await database.close()
    maintenance = Database(databases.dsn("postgres"), size=1)
    async with maintenance.read() as read:
        await read.execute(f"DROP DATABASE {name}")
    await maintenance.close()


def nodes(plan: Plan) -> Iterator[Plan]:
    """Yield a plan and all that is below it."""
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def scans(plan: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what reads each table: an index, or the kind of scan that uses none."""
    found = []
    if "Index Name" in plan:
        found.append((plan.get("Relation Name", ""), plan["Index Name"]))
    elif "Relation Name" in plan and "Scan" in plan["Node Type"] and plan["Node Type"] != "Bitmap Heap Scan":
        found.append((plan["Relation Name"], plan["Node Type"]))
    return found + [one for part in plan.get("Plans", []) for one in scans(part)]


async def plans_of(read: Read, query: str, values: tuple[Any, ...]) -> list[Plan]:
    """Return the plan for all values, and the plan for these."""
    await read.execute("SET plan_cache_mode = force_generic_plan")
    await read.execute(f"PREPARE explained AS {query}")
    nothing = ", ".join(["NULL"] * len(values))
    generic = await read.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE explained ({nothing})")
    await read.execute("DEALLOCATE explained; RESET plan_cache_mode")
    custom = await read.fetchval(f"EXPLAIN (FORMAT JSON) {query}", *values)
    return [(json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"] for plan in (generic, custom)]


async def explained(read: Read, query: str, values: tuple[Any, ...]) -> list[tuple[str, str]]:
    """Return how the tables are read by the plan for all values, and by the plan for these."""
    return [one for plan in await plans_of(read, query, values) for one in scans(plan)]
