"""Can PostgreSQL take a payment at this moment? Asked without leaving a row behind."""

import shutil
from pathlib import Path
from typing import Final

from nicobar.storage.database import DatabaseUnavailable, Read, Tx
from nicobar.storage.due_work import ALL_DUE

LEAST_FREE_BYTES: Final = 64_000_000
"""Free space that PostgreSQL needs to go on for a while: four files of its log of changes."""

_READ_ONLY: Final = "SELECT current_setting('transaction_read_only') = 'on'"

# A message in the log of changes, committed like a payment: it fails where nothing can be written durably. No table
# keeps it.
_WRITE: Final = "SELECT pg_logical_emit_message(true, 'nicobar', 'health')"

# A sort that does not fit into the memory it may use writes about two megabytes into a file of its own, on the disk
# that tables grow on, and deletes it.
_LESS_MEMORY: Final = "SET LOCAL work_mem = '64kB'"
_SPILL: Final = """
SELECT count(*) FROM (
    SELECT repeat(md5(n::text), 32) AS filling FROM generate_series(1, 2000) AS n ORDER BY 1 OFFSET 0
) AS sorted
"""

_FOLDER: Final = """
SELECT current_setting('data_directory')
WHERE inet_server_addr() IS NULL AND pg_has_role('pg_read_all_settings', 'USAGE')
"""

_DUE: Final = " UNION ALL ".join(
    f"SELECT {rows.due} AS due_at FROM {rows.table} WHERE {rows.due} <= now()" for rows in ALL_DUE
)
_WAITING: Final = f"""
SELECT count(*) AS jobs, coalesce(extract(epoch FROM now() - min(due_at)), 0)::float8 AS seconds FROM ({_DUE}) due
"""


async def try_writing(tx: Tx) -> None:
    """Write as a payment does. Raises DatabaseUnavailable, here or at the commit, when PostgreSQL cannot."""
    if await tx.fetchval(_READ_ONLY):
        raise DatabaseUnavailable("it can only be read")
    await tx.execute(_LESS_MEMORY)
    await tx.fetchval(_SPILL)
    await tx.execute(_WRITE)


async def free_bytes(read: Read) -> int | None:
    """Return the free space on the disk of the database; None where it is another computer's, or not ours to see."""
    folder = await read.fetchval(_FOLDER)
    try:
        return None if folder is None else shutil.disk_usage(Path(folder)).free
    except OSError:
        return None


async def waiting_jobs(read: Read) -> tuple[int, float]:
    """Return how many jobs could run by now, and for how many seconds the oldest of them has waited."""
    row = await read.fetchrow(_WAITING)
    assert row is not None  # noqa: S101 - an aggregate has one row
    return row["jobs"], row["seconds"]
