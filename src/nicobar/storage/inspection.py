"""What a database says about itself, for `nicobar doctor`; and a lock for what must happen only once in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import msgspec

from nicobar.storage.database import Database, Read

_FACTS: Final = """
SELECT current_setting('server_version') AS version,
       current_setting('server_version_num')::integer AS version_number,
       current_setting('fsync') AS fsync,
       current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('full_page_writes') AS full_page_writes,
       EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('schema_migrations') AND attname = 'checksum')
           AS has_schema,
       clock_timestamp() AS now
"""

_ALLOWED_CONNECTIONS: Final = """
SELECT current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
"""

_SERVERS: Final = """
SELECT DISTINCT substr(application_name, length($1) + 1) AS address FROM pg_stat_activity
WHERE datname = current_database() AND starts_with(application_name, $1) ORDER BY address
"""

SERVER_NAME: Final = "nicobar serve "
"""How the name of a server's connections begins; its own address follows, so that commands find it on any port."""

PRIVATE: Final = "private "
"""Stands before the address of a server that sends webhooks into its own network."""

FIRST_BUSINESS: Final = 0x6E69636F62757331
"""Key of the advisory lock around making the first business: the letters "nicobus1" as a number."""


class DatabaseFacts(msgspec.Struct, frozen=True):
    """The server's version and settings, and its clock."""

    version: str
    version_number: int
    """180001 is 18.1."""
    fsync: str
    synchronous_commit: str
    full_page_writes: str
    has_schema: bool
    now: datetime


async def database_facts(read: Read) -> DatabaseFacts:
    """Return what the server says about itself."""
    return msgspec.convert(await read.fetchrow(_FACTS), DatabaseFacts)


async def allowed_connections(database: Database) -> int:
    """Return how many connections all users together may have to PostgreSQL, without those kept for its superuser."""
    connection = await database.connect()
    try:
        allowed: int = await connection.fetchval(_ALLOWED_CONNECTIONS)
    finally:
        await connection.close()
    return allowed


async def schema_version(read: Read) -> int:
    """Return the number of the newest migration that ran; 0 for none."""
    number: int = await read.fetchval("SELECT coalesce(max(number), 0) FROM schema_migrations")
    return number


async def server_addresses(read: Read) -> list[str]:
    """Return the addresses, such as `http://127.0.0.1:9000`, of the servers that use this database."""
    return sorted({address.removeprefix(PRIVATE) for address in await _servers(read)})


async def serves_privately(read: Read) -> bool:
    """Return whether one of the servers that use this database sends webhooks into its own network."""
    return any(address.startswith(PRIVATE) for address in await _servers(read))


async def _servers(read: Read) -> list[str]:
    return [row["address"] for row in await read.fetch(_SERVERS, SERVER_NAME)]


@asynccontextmanager
async def advisory_lock(read: Read, key: int) -> AsyncIterator[None]:
    """Hold an advisory lock of this connection while the block runs: one process at a time, the others wait."""
    await read.execute("SELECT pg_advisory_lock($1)", key)
    try:
        yield
    finally:
        await read.execute("SELECT pg_advisory_unlock($1)", key)
