"""Databases as older programs have left them, for tests of upgrades."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest import mock

from harness import Databases
from nicobar.storage import migrate as module
from nicobar.storage.database import Database
from nicobar.storage.migrate import load_migrations, migrate


@asynccontextmanager
async def left_before(databases: Databases, migration: str, size: int = 2) -> AsyncIterator[Database]:
    """Make a database as the program before a migration has left it, without rows; drop it when the block ends."""
    name = f"before_{migration}"
    maintenance = Database(databases.dsn("postgres"), size=1)
    async with maintenance.read() as read:
        await read.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    database = Database(databases.dsn(name), size=size)
    try:
        await migrate_before(database, migration)
        yield database
    finally:
        await database.close()
        async with maintenance.read() as read:
            await read.execute(f"DROP DATABASE {name}")
        await maintenance.close()


async def migrate_before(database: Database, migration: str) -> None:
    """Bring a database to the schema before a migration."""
    known = load_migrations()
    (newer,) = (each.number for each in known if each.name == migration)
    older = [each for each in known if each.number < newer]
    with mock.patch.object(module, "load_migrations", lambda: older):
        await migrate(database)
