"""The worker works on rows until they are done, whatever happens to them, and stops when it is told to."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from harness import FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Database, DatabaseUnavailable
from nicobar.storage.due_work import DELIVERIES, NOTICES, RETURNS, SUBSCRIPTIONS, pause_after
from nicobar.worker import worker as module
from nicobar.worker.kinds import AT_ONCE, KINDS, Kind
from worker.working import PATIENCE, TENANT, Handle, Working, add, is_empty, notices, until


@pytest.mark.usefixtures("quick")
async def test_a_row_is_worked_on_until_it_is_done(
    runtime: Runtime, handled_by: Callable[[Handle], None], caplog: pytest.LogCaptureFixture
) -> None:
    calls: Counter[str] = Counter()

    async def stubborn(_runtime: Runtime, tenant: Tenant, processor: str, notice_id: str) -> bool:
        assert (tenant, processor) == (TENANT, "stripe")
        calls[notice_id] += 1
        match calls[notice_id]:
            case 1:
                raise DatabaseUnavailable("gone")
            case 2:
                raise ZeroDivisionError
            case 3:
                return False
            case _:
                return True

    handled_by(stubborn)
    await add(runtime, "a", "b")
    async with Working(runtime):
        await until(lambda: is_empty(runtime))
    assert calls == {"a": 4, "b": 4}
    assert await notices(runtime, "notice_id, tries, due_at") == [("a", 4, None), ("b", 4, None)]


async def test_a_failure_waits_for_its_pause(
    runtime: Runtime, clock: FakeClock, handled_by: Callable[[Handle], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_arguments: object) -> bool:
        return False

    handled_by(refuse)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    received = clock.now()
    await add(runtime, "a")
    async with Working(runtime):
        for tries, pause in ((1, 2), (2, 4), (3, 8)):
            due = clock.now() + timedelta(seconds=pause)

            async def is_put_off(tries: int = tries, due: object = due) -> bool:
                return await notices(runtime, "tries, due_at") == [(tries, due)]

            await until(is_put_off)
            clock.moment = due - timedelta(microseconds=1)
            await asyncio.sleep(0.1)
            assert await is_put_off()
            clock.moment = due
    assert clock.now() == received + timedelta(seconds=14)


@pytest.mark.usefixtures("quick")
async def test_what_takes_too_long_is_broken_off_and_tried_again(
    runtime: Runtime, handled_by: Callable[[Handle], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    async def hang(_runtime: Runtime, _tenant: Tenant, _processor: str, notice_id: str) -> bool:
        calls.append(notice_id)
        if len(calls) == 1:
            await asyncio.sleep(PATIENCE)
        return True

    monkeypatch.setattr(module, "HANDLING_SECONDS", 0.1)
    handled_by(hang)
    await add(runtime, "a")
    async with Working(runtime):
        await until(lambda: is_empty(runtime))
    assert calls == ["a", "a"]


_FULL = """
CREATE FUNCTION refuse_next_try() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE disk_full USING MESSAGE = 'could not extend file'; END $$;
CREATE TRIGGER refuse_next_try BEFORE UPDATE ON notices FOR EACH ROW WHEN (NEW.tries = OLD.tries)
    EXECUTE FUNCTION refuse_next_try()
"""


@pytest.mark.usefixtures("quick")
async def test_a_row_whose_next_try_cannot_be_noted_is_not_lost(
    runtime: Runtime, clock: FakeClock, handled_by: Callable[[Handle], None]
) -> None:
    """The disk is full just when a row that failed is to be put off: its lease runs out."""
    calls: list[str] = []

    async def stubborn(_runtime: Runtime, _tenant: Tenant, _processor: str, notice_id: str) -> bool:
        calls.append(notice_id)
        return len(calls) > 1

    async def called() -> bool:
        return bool(calls)

    handled_by(stubborn)
    await add(runtime, "a")
    async with runtime.database.read() as read:
        await read.execute(_FULL)
    try:
        async with Working(runtime):
            await until(called)
            await asyncio.sleep(0.2)
            assert await notices(runtime, "tries, due_at") == [(1, clock.now() + timedelta(seconds=60))]
            async with runtime.database.read() as read:
                await read.execute("DROP FUNCTION refuse_next_try CASCADE")
            clock.advance(seconds=59)
            await asyncio.sleep(0.2)
            assert calls == ["a"]
            clock.advance(seconds=1)
            await until(lambda: is_empty(runtime))
    finally:
        async with runtime.database.read() as read:
            await read.execute("DROP FUNCTION IF EXISTS refuse_next_try CASCADE")
    assert calls == ["a", "a"]


@pytest.mark.usefixtures("quick")
async def test_running_work_ends_before_the_worker_does(runtime: Runtime, handled_by: Callable[[Handle], None]) -> None:
    begun, finish, done = asyncio.Event(), asyncio.Event(), []

    async def slow(_runtime: Runtime, _tenant: Tenant, _processor: str, notice_id: str) -> bool:
        begun.set()
        await finish.wait()
        done.append(notice_id)
        return True

    handled_by(slow)
    await add(runtime, "a")
    async with Working(runtime) as worker:
        async with asyncio.timeout(PATIENCE):
            await begun.wait()
        worker.end()
        await asyncio.sleep(0)
        assert done == []
        finish.set()
    assert done == ["a"]
    assert await is_empty(runtime)


@pytest.mark.usefixtures("quick")
async def test_work_that_does_not_end_is_cut_off_and_taken_again(
    runtime: Runtime, clock: FakeClock, handled_by: Callable[[Handle], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, calls, cut = asyncio.Event(), [], []

    async def slow(_runtime: Runtime, _tenant: Tenant, _processor: str, notice_id: str) -> bool:
        calls.append(notice_id)
        begun.set()
        if len(calls) == 1:
            try:
                await asyncio.sleep(PATIENCE)
            except asyncio.CancelledError:
                cut.append(notice_id)
                raise
        return True

    monkeypatch.setattr(module, "DRAIN_SECONDS", 0.05)
    handled_by(slow)
    await add(runtime, "a")
    async with Working(runtime), asyncio.timeout(PATIENCE):
        await begun.wait()
    assert await notices(runtime, "tries, due_at") == [(1, clock.now() + timedelta(seconds=60))]
    clock.advance(seconds=60)
    async with Working(runtime):
        await until(lambda: is_empty(runtime))
    assert (calls, cut) == (["a", "a"], ["a"])


@pytest.mark.usefixtures("quick")
async def test_many_workers_do_everything_once(runtime: Runtime, handled_by: Callable[[Handle], None]) -> None:
    calls: Counter[str] = Counter()
    at_once: Counter[object] = Counter()
    most = 0

    async def note(runtime: Runtime, _tenant: Tenant, _processor: str, notice_id: str) -> bool:
        nonlocal most
        calls[notice_id] += 1
        at_once[runtime.public_url] += 1
        most = max(most, at_once[runtime.public_url])
        await asyncio.sleep(0.001)
        at_once[runtime.public_url] -= 1
        return True

    handled_by(note)
    names = [f"evt_{number:03}" for number in range(300)]
    await add(runtime, *names)
    workers = [runtime._replace(public_url=f"http://worker{number}") for number in range(4)]
    async with Working(workers[0]), Working(workers[1]), Working(workers[2]), Working(workers[3]):
        await until(lambda: is_empty(runtime))
    assert calls == dict.fromkeys(names, 1)
    assert 0 < most <= AT_ONCE
    assert set(await notices(runtime, "tries")) == {(1,)}


async def test_a_kind_that_is_busy_keeps_no_other_waiting(
    runtime: Runtime, handled_by: Callable[[Handle], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All places for notices are taken, and an attempt is given back at once."""
    release, returned = asyncio.Event(), asyncio.Event()

    async def hang(*_arguments: object) -> bool:
        await release.wait()
        return True

    async def give_back(runtime: Runtime, _tenant: Tenant, _attempt_id: str) -> bool:
        async with runtime.database.statement() as tx:
            await tx.execute("UPDATE attempts SET returned_at = now(), return_due_at = NULL")
        returned.set()
        return True

    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
    handled_by(hang)
    monkeypatch.setattr(module, "KINDS", [*vars(module)["KINDS"], Kind("refund_duplicate_charge", RETURNS, give_back)])
    await add(runtime, *[f"evt_{number}" for number in range(AT_ONCE + 1)])
    async with Working(runtime):
        await asyncio.sleep(0.2)
        async with runtime.database.read() as read:
            await read.execute("SET session_replication_role = replica")
            await read.execute(
                "INSERT INTO attempts (business_id, mode, attempt_id, payment_id, processor, amount, currency,"
                " created_at, updated_at, is_surplus, return_due_at) VALUES"
                " ('bus_0', 'test', 'att_0', 'pay_0', 'stripe', 100, 'USD', $1, $1, true, $1)",
                runtime.clock.now(),
            )
            await read.execute("RESET session_replication_role")
        async with asyncio.timeout(PATIENCE):
            await returned.wait()
        assert not await is_empty(runtime)
        release.set()
        await until(lambda: is_empty(runtime))


@pytest.mark.usefixtures("quick")
async def test_the_worker_survives_a_lost_connection(runtime: Runtime, handled_by: Callable[[Handle], None]) -> None:
    """Every connection of its database is cut, as when PostgreSQL is restarted."""
    handled: list[str] = []

    async def note(_runtime: Runtime, _tenant: Tenant, _processor: str, notice_id: str) -> bool:
        handled.append(notice_id)
        return True

    async def cut() -> bool:
        async with runtime.database.read() as read:
            ended: int = await read.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE '%SKIP LOCKED%' AND pid <> pg_backend_pid()"
            )
        return ended > 0

    handled_by(note)
    database = Database(runtime.database.dsn, size=2)
    try:
        async with Working(runtime._replace(database=database)):
            await add(runtime, "before")
            await until(lambda: is_empty(runtime))
            await until(cut)
            await add(runtime, "later")
            await until(lambda: is_empty(runtime))
    finally:
        await database.close()
    assert handled == ["before", "later"]


def test_every_kind_is_there() -> None:
    assert [(kind.name, kind.rows) for kind in KINDS] == [
        ("handle_notice", NOTICES),
        ("refund_duplicate_charge", RETURNS),
        ("work_on_subscription", SUBSCRIPTIONS),
        ("deliver_webhook", DELIVERIES),
    ]


def test_pauses_grow_to_half_an_hour() -> None:
    pauses = [pause_after(tries).total_seconds() for tries in (1, 2, 3, 6, 10, 11, 1000)]
    assert pauses == [2, 4, 8, 64, 1024, 1800, 1800]
