"""What the metrics say of the work that is due."""

from harness import FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from nicobar.storage.notices.notices import insert_notice, mark_handled
from nicobar.storage.readiness import waiting_jobs

TENANT = Tenant("bus_a", "test")


async def test_due_work_is_counted_until_it_is_done(runtime: Runtime, clock: FakeClock) -> None:
    async with runtime.database.snapshot() as read:
        assert await waiting_jobs(read) == (0, 0.0)
    for name in ("evt_1", "evt_2"):
        async with runtime.database.transaction() as tx:
            assert await insert_notice(tx, TENANT, "stripe", name, "attempt", "att_0", clock.now())
        clock.advance(seconds=10)
    async with runtime.database.snapshot() as read:
        oldest = await read.fetchval("SELECT extract(epoch FROM now() - min(due_at))::float8 FROM notices")
        assert oldest > 0
        assert await waiting_jobs(read) == (2, oldest)
    async with runtime.database.transaction() as tx:
        await mark_handled(tx, TENANT, "stripe", "evt_1", clock.now())
    async with runtime.database.snapshot() as read:
        oldest = await read.fetchval(
            "SELECT extract(epoch FROM now() - due_at)::float8 FROM notices WHERE notice_id = 'evt_2'"
        )
        assert await waiting_jobs(read) == (1, oldest)
