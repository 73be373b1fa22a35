"""Let PostgreSQL know enough of its tables to read them by the right index."""

import structlog

from nicobar.flows.runtime import Runtime
from nicobar.storage.statistics import analyze, tables_without_statistics

_log = structlog.get_logger(__name__)


async def analyze_tables(runtime: Runtime) -> None:
    """Analyse the tables of some size that have no statistics: after a restore, or an upgrade of PostgreSQL."""
    async with runtime.database.read() as read:
        tables = await tables_without_statistics(read)
    for table in tables:
        _log.info("analysing_table", table=table)
        async with runtime.database.statement() as tx:
            await analyze(tx, table)
