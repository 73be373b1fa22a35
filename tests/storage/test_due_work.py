"""Rows that are due are taken in turn, by one at a time, for as long as a lease."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from harness import START, FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.claim_due_work import LEASE, claim_due_work
from nicobar.flows.upkeep.put_off_work import put_off_work
from nicobar.storage.database import Database
from nicobar.storage.due_work import NOTICES, RETURNS, Claim
from nicobar.storage.notices.notices import insert_notice, mark_handled

TEST, LIVE, OTHER = Tenant("bus_a", "test"), Tenant("bus_a", "live"), Tenant("bus_b", "test")


async def _add(runtime: Runtime, tenant: Tenant, notice_id: str) -> None:
    async with runtime.database.transaction() as tx:
        assert await insert_notice(tx, tenant, "stripe", notice_id, "attempt", "att_0", runtime.clock.now(), "")


async def _due(runtime: Runtime) -> list[tuple[Any, ...]]:
    async with runtime.database.read() as read:
        query = "SELECT business_id, mode, notice_id, due_at, tries FROM notices ORDER BY notice_id"
        return [tuple(row) for row in await read.fetch(query)]


def _claim(tenant: Tenant, notice_id: str, tries: int = 1) -> Claim:
    return Claim(tenant, ("stripe", notice_id), tries)


async def test_the_longest_due_come_first_of_all_tenants(runtime: Runtime, clock: FakeClock) -> None:
    for tenant, name in ((LIVE, "evt_3"), (OTHER, "evt_1"), (TEST, "evt_2")):
        await _add(runtime, tenant, name)
        clock.advance(seconds=1)
    assert await claim_due_work(runtime, NOTICES, 2) == [_claim(LIVE, "evt_3"), _claim(OTHER, "evt_1")]
    assert await claim_due_work(runtime, NOTICES, 2) == [_claim(TEST, "evt_2")]
    assert await claim_due_work(runtime, NOTICES, 2) == []
    assert await claim_due_work(runtime, RETURNS, 2) == []
    until = clock.now() + LEASE
    assert await _due(runtime) == [
        ("bus_b", "test", "evt_1", until, 1),
        ("bus_a", "test", "evt_2", until, 1),
        ("bus_a", "live", "evt_3", until, 1),
    ]


async def test_the_same_name_at_two_tenants_is_two_rows(runtime: Runtime, clock: FakeClock) -> None:
    for tenant in (LIVE, TEST, OTHER):
        await _add(runtime, tenant, "evt_1")
        clock.advance(seconds=1)
    assert await claim_due_work(runtime, NOTICES, 1) == [_claim(LIVE, "evt_1")]
    assert sorted((row[0], row[1], row[4]) for row in await _due(runtime)) == [
        ("bus_a", "live", 1),
        ("bus_a", "test", 0),
        ("bus_b", "test", 0),
    ]
    await put_off_work(runtime, NOTICES, _claim(LIVE, "evt_1"), timedelta(hours=1))
    assert sorted(row[3] for row in await _due(runtime)) == [
        START + timedelta(seconds=1),
        START + timedelta(seconds=2),
        clock.now() + timedelta(hours=1),
    ]


async def test_a_lease_runs_out(runtime: Runtime, clock: FakeClock) -> None:
    await _add(runtime, TEST, "evt_1")
    assert await claim_due_work(runtime, NOTICES, 5) == [_claim(TEST, "evt_1")]
    clock.moment = START + LEASE - timedelta(microseconds=1)
    assert await claim_due_work(runtime, NOTICES, 5) == []
    clock.moment = START + LEASE
    assert await claim_due_work(runtime, NOTICES, 5) == [_claim(TEST, "evt_1", tries=2)]


async def test_who_comes_late_puts_nothing_off(runtime: Runtime, clock: FakeClock) -> None:
    """Its lease has run out and another has the row; or the row is done."""
    await _add(runtime, TEST, "evt_1")
    (late,) = await claim_due_work(runtime, NOTICES, 5)
    clock.advance(seconds=60)
    (second,) = await claim_due_work(runtime, NOTICES, 5)
    held = await _due(runtime)
    await put_off_work(runtime, NOTICES, late, timedelta(0))
    assert await _due(runtime) == held == [("bus_a", "test", "evt_1", clock.now() + LEASE, 2)]
    async with runtime.database.statement() as tx:
        await mark_handled(tx, TEST, "stripe", "evt_1", clock.now())
    await put_off_work(runtime, NOTICES, second, timedelta(0))
    assert await _due(runtime) == [("bus_a", "test", "evt_1", None, 2)]


async def test_a_row_that_is_not_committed_is_not_there(runtime: Runtime) -> None:
    with pytest.raises(LookupError):
        async with runtime.database.transaction() as tx:
            await insert_notice(tx, TEST, "stripe", "evt_1", "attempt", "att_0", runtime.clock.now(), "")
            assert await claim_due_work(runtime, NOTICES, 5) == []
            raise LookupError
    assert await claim_due_work(runtime, NOTICES, 5) == []


async def test_a_row_that_somebody_holds_is_passed_over(runtime: Runtime) -> None:
    for name in ("evt_1", "evt_2"):
        await _add(runtime, TEST, name)
    async with runtime.database.transaction() as tx:
        await tx.execute("SELECT FROM notices WHERE notice_id = 'evt_1' FOR UPDATE")
        async with asyncio.timeout(10):
            assert await claim_due_work(runtime, NOTICES, 1) == [_claim(TEST, "evt_2")]
    assert await claim_due_work(runtime, NOTICES, 5) == [_claim(TEST, "evt_1")]


async def test_many_at_once_take_every_row_once(runtime: Runtime) -> None:
    for number in range(60):
        await _add(runtime, TEST, f"evt_{number:02}")
    taken = await asyncio.gather(*(claim_due_work(runtime, NOTICES, 7) for _ in range(12)))
    while len(claims := [claim for batch in taken for claim in batch]) < 60:
        taken.append(await claim_due_work(runtime, NOTICES, 7))  # those that were held at that moment
        assert taken[-1]
    assert sorted(claim.key[1] for claim in claims) == [f"evt_{number:02}" for number in range(60)]
    assert {claim.tries for claim in claims} == {1}


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE notices SET due_at = NULL",
        "UPDATE notices SET handled_at = now()",
    ],
)
async def test_what_is_not_done_stays_due(runtime: Runtime, wrong: str) -> None:
    await _add(runtime, TEST, "evt_1")
    before = await _due(runtime)
    async with runtime.database.read() as read:
        with pytest.raises(asyncpg.CheckViolationError, match="notices_due"):
            await read.execute(wrong)
    assert await _due(runtime) == before


async def test_taking_reads_nothing_but_what_is_due(runtime: Runtime) -> None:
    """The partial indexes serve the query, however many rows are done."""
    database = Database(runtime.database.dsn, size=1)
    try:
        async with database.transaction() as tx:
            await tx.execute("SET LOCAL enable_seqscan = off")
            for table, due, index in (
                ("notices", "due_at", "notices_by_due"),
                ("attempts", "return_due_at", "attempts_by_return_due"),
            ):
                plan = await tx.fetch(
                    f"EXPLAIN SELECT FROM {table} WHERE {due} <= now() ORDER BY {due} LIMIT 5 FOR UPDATE SKIP LOCKED"
                )
                text = "\n".join(row[0] for row in plan)
                assert f"Index Scan using {index}" in text
                assert "Sort" not in text
    finally:
        await database.close()
