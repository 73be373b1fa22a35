"""Statistics of tables: without them, reading all of a seller's rows looks as good to PostgreSQL as the right index.

Autovacuum makes them within about a minute after a table was filled, by a restore for instance; where it is off, or
after `pg_upgrade`, nobody does.
"""

from typing import Final

from nicobar.storage.database import Read, Tx

SMALLEST_BYTES: Final = 128 * 1024
"""Bytes of a table from which its plans matter: some hundred rows. A smaller one is as quickly read as a whole."""

ANALYZE_SECONDS: Final = 600.0
"""How long one table may take. It is a sample of 30,000 pages at most, whatever the size."""

# What was analysed a short time ago and still has none is empty. A table of somebody else is not ours to touch.
_WITHOUT: Final = """
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN (current_schema(), 'simulator') AND pg_has_role(c.relowner, 'USAGE')
  AND pg_relation_size(c.oid) >= $1
  AND NOT EXISTS (SELECT FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname)
  AND coalesce(greatest(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)), '-infinity')
      < clock_timestamp() - interval '1 hour'
ORDER BY 1
"""


async def tables_without_statistics(read: Read) -> list[str]:
    """Return the tables of some size that were never analysed, as SQL names them."""
    return [row[0] for row in await read.fetch(_WITHOUT, SMALLEST_BYTES)]


async def analyze(tx: Tx, table: str) -> None:
    """Have PostgreSQL make the statistics of a table that `tables_without_statistics` has named.

    A table that somebody else is just analysing is passed over.
    """
    await tx.execute(f"ANALYZE (SKIP_LOCKED) {table}", timeout=ANALYZE_SECONDS)
