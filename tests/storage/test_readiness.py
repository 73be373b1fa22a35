"""What the metrics say of the work that is due."""

from datetime import timedelta

from starlette.types import ASGIApp

from api.subscriptions.subscribing import open_club
from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from nicobar.storage.due_work import ALL_DUE
from nicobar.storage.notices.notices import insert_notice, mark_handled
from nicobar.storage.readiness import waiting_jobs
from nicobar.worker.kinds import KINDS

TENANT = Tenant("bus_a", "test")


async def test_due_work_is_counted_until_it_is_done(runtime: Runtime, clock: FakeClock) -> None:
    async with runtime.database.snapshot() as read:
        assert await waiting_jobs(read) == (0, 0.0)
    for name in ("evt_1", "evt_2"):
        async with runtime.database.transaction() as tx:
            assert await insert_notice(tx, TENANT, "stripe", name, "attempt", "att_0", clock.now(), "")
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


async def test_subscriptions_wait_when_something_is_due(
    merchant: Merchant, app: ASGIApp, runtime: Runtime, clock: FakeClock
) -> None:
    club = open_club(merchant, app, runtime, clock)
    late, paused, later = [(await club.subscribe())["subscription_id"] for _ in range(3)]
    await club.call("PATCH", f"/subscriptions/{paused}", {"status": "paused"})
    due = "UPDATE subscriptions SET due_at = now() + $2::interval WHERE subscription_id = $1"
    async with runtime.database.transaction() as tx:
        for subscription_id, interval in ((late, timedelta(hours=-1)), (later, timedelta(hours=1))):
            await tx.execute(due, subscription_id, interval)
    async with runtime.database.snapshot() as read:
        query = "SELECT extract(epoch FROM now() - due_at)::float8 FROM subscriptions WHERE subscription_id = $1"
        oldest = await read.fetchval(query, late)
        assert oldest >= 3600
        assert await waiting_jobs(read) == (1, oldest)


def test_every_kind_of_work_is_counted() -> None:
    assert [kind.rows for kind in KINDS if kind.rows not in ALL_DUE] == []
    assert len(ALL_DUE) == len(KINDS)
