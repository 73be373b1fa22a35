"""Tables that were filled at once get statistics, and only those."""

from collections.abc import AsyncIterator

import pytest_asyncio

from harness import PUBLIC_URL, VAULT, Databases, FakeClock
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.analyze_tables import analyze_tables
from nicobar.flows.upkeep.sweep import sweep
from nicobar.program.statistics_check import check_statistics
from nicobar.storage.database import Read
from nicobar.storage.statistics import tables_without_statistics
from storage.plans.explained import Listening, never_analysed, nodes

CUSTOMERS = """
INSERT INTO customers (business_id, mode, customer_id, email, email_key, name, metadata, created_at, updated_at)
SELECT 'bus_1', mode, 'cus_' || i, 'c' || i, 'c' || i, 'Ana', '{}', now(), now()
FROM generate_series(1, 3000) i, unnest(ARRAY['test', 'live']) mode
"""

WARNING = (
    "! Without statistics, PostgreSQL may read all of these tables for one row: public.customers.\n"
    "  A server that runs makes them within seconds. Or run: ANALYZE"
)
OF_ONE_SELLER = "SELECT FROM customers WHERE business_id = 'bus_1' AND mode = 'live'"


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Listening]:
    async with never_analysed(databases, "nicobar_statistics") as database:
        yield database


async def rows_expected(read: Read, query: str) -> float:
    """Return how many rows PostgreSQL expects, at its largest node."""
    (explained,) = await read.fetchval(f"EXPLAIN (FORMAT JSON) {query}")
    return max(float(node["Plan Rows"]) for node in nodes(explained["Plan"]))


async def test_what_was_filled_at_once_gets_statistics(database: Listening, clock: FakeClock) -> None:
    runtime = Runtime(database, clock, PUBLIC_URL, vault=VAULT)
    async with database.read() as read:
        await read.execute("INSERT INTO businesses (business_id, name, created_at) VALUES ('bus_1', 'Dodo', now())")
        assert await tables_without_statistics(read) == []
        await read.execute(CUSTOMERS)
        assert await tables_without_statistics(read) == ["public.customers"]
        assert (await check_statistics(read)).text() == WARNING
        assert await rows_expected(read, OF_ONE_SELLER) < 10
    await sweep(runtime)
    async with database.read() as read:
        assert await tables_without_statistics(read) == []
        assert (await check_statistics(read)).text() == "✓ PostgreSQL has statistics of every table that is not small."
        assert 2500 < await rows_expected(read, OF_ONE_SELLER) < 3500
        analysed = await read.fetchval("SELECT pg_stat_get_last_analyze_time('customers'::regclass)")
        await read.execute("DELETE FROM pg_statistic WHERE starelid = 'customers'::regclass")
    await analyze_tables(runtime)
    async with database.read() as read:  # it was analysed an hour ago at most, so it has nothing to count
        assert await read.fetchval("SELECT pg_stat_get_last_analyze_time('customers'::regclass)") == analysed


async def test_a_table_that_another_is_analysing_is_passed_over(database: Listening, clock: FakeClock) -> None:
    runtime = Runtime(database, clock, PUBLIC_URL, vault=VAULT)
    async with database.read() as read:
        await read.execute("INSERT INTO businesses (business_id, name, created_at) VALUES ('bus_1', 'Dodo', now())")
        await read.execute(CUSTOMERS)
    async with database.transaction() as tx:
        await tx.execute("LOCK TABLE customers IN SHARE UPDATE EXCLUSIVE MODE")
        await analyze_tables(runtime)
    async with database.read() as read:
        assert await tables_without_statistics(read) == ["public.customers"]


async def test_a_table_of_somebody_else_is_left_alone(database: Listening, clock: FakeClock) -> None:
    runtime = Runtime(database, clock, PUBLIC_URL, vault=VAULT)
    async with database.read() as read:
        await read.execute("CREATE TABLE stranger AS SELECT i FROM generate_series(1, 50000) i")
        assert await tables_without_statistics(read) == ["public.stranger"], "here everything belongs to one role"
        await read.execute("CREATE ROLE nicobar_stranger; ALTER TABLE stranger OWNER TO nicobar_stranger")
        await read.execute("CREATE ROLE nicobar_server; GRANT ALL ON SCHEMA public TO nicobar_server")
        await read.execute("SET ROLE nicobar_server")
        found = await tables_without_statistics(read)
        await read.execute("RESET ROLE; DROP TABLE stranger; DROP OWNED BY nicobar_server")
        await read.execute("DROP ROLE nicobar_stranger; DROP ROLE nicobar_server")
    assert found == []
    await analyze_tables(runtime)
