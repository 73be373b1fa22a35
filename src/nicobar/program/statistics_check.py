"""What `nicobar doctor` says about the statistics of tables."""

from nicobar.program.finding import Finding
from nicobar.storage.database import Read
from nicobar.storage.statistics import tables_without_statistics


async def check_statistics(read: Read) -> Finding:
    """Without statistics, PostgreSQL may read all rows of a seller for one. The schema is the newest."""
    tables = await tables_without_statistics(read)
    if tables:
        sentence = f"Without statistics, PostgreSQL may read all of these tables for one row: {', '.join(tables)}."
        return Finding(None, sentence, "A server that runs makes them within seconds. Or run: ANALYZE", warns=True)
    return Finding(True, "PostgreSQL has statistics of every table that is not small.")
