"""Migrations: once, in order, and never on a schema that does not belong to this program."""

import pytest

from harness import Databases
from nicobar.storage.database import Database
from nicobar.storage.migrate import MigrationError, load_migrations, migrate


async def fresh(databases: Databases, name: str) -> Database:
    return Database(await databases.create(name), size=2)


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [migration.number for migration in load_migrations()]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1


async def test_a_migrated_database_is_left_alone(databases: Databases) -> None:
    database = await fresh(databases, "migrated")
    assert await migrate(database) == []
    await database.close()


async def test_an_edited_migration_is_refused(databases: Databases) -> None:
    database = await fresh(databases, "edited")
    async with database.transaction() as tx:
        await tx.execute("UPDATE schema_migrations SET checksum = 'other' WHERE number = 1")
    with pytest.raises(MigrationError, match="0001_initial was changed after it ran"):
        await migrate(database)
    await database.close()


async def test_a_newer_schema_is_refused(databases: Databases) -> None:
    database = await fresh(databases, "newer")
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO schema_migrations (number, name, checksum) VALUES (9999, 'later', 'x')")
    with pytest.raises(MigrationError, match="schema version 9999"):
        await migrate(database)
    await database.close()
