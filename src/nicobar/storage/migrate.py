"""Numbered SQL migrations, each applied once, in order, under an advisory lock.

A migration is a file `NNNN_name.sql` in `migrations/`. The table `schema_migrations` keeps the number and SHA-256 of
each one that ran: a file that was changed afterwards, or a number this program does not know, stops the start.
"""

import hashlib
from importlib.resources import files
from typing import Final

import msgspec

from nicobar.storage.database import Database, Tx

_LOCK: Final = 0x6E69636F626172
"""Key of the advisory lock: the letters "nicobar" as a number. One program migrates at a time; the others wait."""

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


OLDEST_POSTGRES: Final = 15
"""The oldest major version of PostgreSQL on which the migrations run and the tests have been run."""

_VERSION: Final = "SELECT current_setting('server_version_num')::integer / 10000"

# The tables of another program. Frameworks have a table called schema_migrations, too, with other columns.
_FOREIGN: Final = """
SELECT array_agg(t.relname::text ORDER BY t.relname)
FROM pg_class t
WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT EXISTS (
    SELECT FROM pg_attribute a
    WHERE a.attrelid = to_regclass('schema_migrations') AND a.attname = 'checksum'
) AND NOT EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_extension'::regclass
)
"""

_SHOWN: Final = 5
"""How many foreign tables a refusal names."""


class MigrationError(Exception):
    """The schema in the database and this program do not belong together; the message says what to do."""


class Migration(msgspec.Struct, frozen=True):
    """One migration file."""

    number: int
    name: str
    sql: str
    checksum: str
    """SHA-256 of the file, in hexadecimal."""


def load_migrations() -> list[Migration]:
    """Return the migrations that this program carries, in order of their numbers 1, 2, 3 ..."""
    migrations = []
    for entry in sorted(files("nicobar.storage").joinpath("migrations").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".sql"):
            sql = entry.read_text(encoding="utf-8")
            number, _, name = entry.name.removesuffix(".sql").partition("_")
            checksum = hashlib.sha256(sql.encode()).hexdigest()
            migrations.append(Migration(int(number), name, sql, checksum))
    return migrations


async def migrate(database: Database) -> list[Migration]:
    """Bring the schema up to date and return the migrations that ran now.

    All pending migrations run in one transaction, so a failure leaves the old schema whole. Raises MigrationError
    when the database was made by a newer program or is another program's, when PostgreSQL is too old, or when a
    migration that already ran has been edited.
    """
    known = load_migrations()
    async with database.transaction() as tx:
        await tx.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await _refuse_unusable(tx)
        await tx.execute(_TABLE)
        applied = {
            row["number"]: row["checksum"] for row in await tx.fetch("SELECT number, checksum FROM schema_migrations")
        }
        _refuse_mismatch(known, applied)
        pending = [migration for migration in known if migration.number not in applied]
        for migration in pending:
            await _apply(tx, migration)
    return pending


async def _refuse_unusable(tx: Tx) -> None:
    major = await tx.fetchval(_VERSION)
    if major < OLDEST_POSTGRES:
        raise MigrationError(f"Nicobar needs PostgreSQL {OLDEST_POSTGRES} or newer, and this is PostgreSQL {major}.")
    foreign = await tx.fetchval(_FOREIGN)
    if foreign:
        named = ", ".join(foreign[:_SHOWN]) + (f" and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else "")
        raise MigrationError(
            f"This database belongs to another program: it has the tables {named}. Give Nicobar a database of its own, "
            "made for example with the command createdb. Nothing was changed."
        )


async def _apply(tx: Tx, migration: Migration) -> None:
    await tx.execute(migration.sql)
    await tx.execute(
        "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)",
        migration.number,
        migration.name,
        migration.checksum,
    )


def _refuse_mismatch(known: list[Migration], applied: dict[int, str]) -> None:
    newest = max((migration.number for migration in known), default=0)
    if applied and max(applied) > newest:
        raise MigrationError(
            f"The database has schema version {max(applied)}, but this Nicobar knows only up to {newest}. "
            "Start the newer Nicobar that made it, or use another database."
        )
    for migration in known:
        if applied.get(migration.number, migration.checksum) != migration.checksum:
            raise MigrationError(
                f"Migration {migration.number:04d}_{migration.name} was changed after it ran on this database. "
                "Put the original file back; changes belong in a new migration."
            )
