"""The upgrade to clocks of test modes: a test mode of before goes by real time, and can be moved and emptied."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from harness import START, Databases, FakeClock
from nicobar.core.business.business_clock import BusinessClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.test_mode.clock_goal import ClockGoal
from nicobar.flows.runtime import Runtime
from nicobar.flows.test_mode.advance_clock import advance_clock
from nicobar.flows.test_mode.reset_test_mode import reset_test_mode
from nicobar.program.books_audit import audit_books
from nicobar.storage.database import Database
from nicobar.storage.migrate import migrate
from nicobar.storage.test_clocks import get_clock, read_clocks
from nicobar.storage.test_mode.emptying import EMPTIED
from orders import with_processors
from storage.older import left_before

TENANT = Tenant("bus_OngtHP6j_pPjNAvNrk93q", "test")
SUBSCRIPTION = "sub_OngtHP6EfzVApe6K0kK8c"
DUMP = Path(__file__).parent / "dumps" / "0032_subscriber.sql"
DUMPED_AT = START + timedelta(days=32)


@pytest_asyncio.fixture
async def before(databases: Databases) -> AsyncIterator[Database]:
    """A database that a program without clocks has left."""
    async with left_before(databases, "test_clock", size=4) as database:
        async with database.read() as read:
            await read.execute("SET session_replication_role = replica")
            await read.execute(DUMP.read_text(encoding="utf-8"))
            await read.execute("RESET session_replication_role")
        yield database


@pytest.mark.usefixtures("settled")
async def test_a_test_mode_of_before_can_be_moved_and_emptied(
    before: Database, runtime: Runtime, clock: FakeClock
) -> None:
    clock.advance(days=32)
    assert "test_clock" in [migration.name for migration in await migrate(before)]
    own = with_processors(runtime._replace(database=before))
    async with before.read() as read:
        assert await read_clocks(read) == []
        assert await get_clock(read, TENANT.business_id) == BusinessClock(business_id=TENANT.business_id)
        # Its receiver is gone, and nobody is to ask the network for it.
        await read.execute("UPDATE webhook_deliveries SET state = 'stopped', due_at = NULL")
        await read.execute("UPDATE webhook_endpoints SET disabled = true")
    assert own.now(TENANT) == own.real_now() == DUMPED_AT
    move = await advance_clock(own, TENANT, ClockGoal(by=timedelta(days=60)))
    renewals = [one for one in move.happened if one.type == "subscription.renewed"]
    assert [(f"{one.at:%Y-%m-%d}", one.object_id) for one in renewals] == [
        ("2026-05-14", SUBSCRIPTION),
        ("2026-06-14", SUBSCRIPTION),
    ]
    async with before.read() as read:
        paid = await read.fetch(
            "SELECT starts_at FROM subscription_charges WHERE subscription_id = $1 AND state = 'paid' ORDER BY 1",
            SUBSCRIPTION,
        )
        assert [f"{row['starts_at']:%m-%d}" for row in paid] == ["03-14", "04-14", "05-14", "06-14"]
        findings = await audit_books(read, own.now(TENANT), START)
        assert [found.sentence for found in findings if found.good is False] == []
    with pytest.raises(Exception, match="are kept as they are"):
        async with before.transaction() as tx:
            await tx.execute("DELETE FROM ledger_entries")
    await reset_test_mode(own, TENANT)
    async with before.read() as read:
        left = {table: await read.fetchval(f"SELECT count(*) FROM {table}") for table in EMPTIED}
    assert left == dict.fromkeys(EMPTIED, 0)
    assert own.now(TENANT) == DUMPED_AT
