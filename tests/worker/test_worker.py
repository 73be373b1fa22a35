"""The worker works on rows until they are done, whatever happens to them, and stops when it is told to."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from harness import FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Database, DatabaseUnavailable
from nicobar.storage.due_work import DELIVERIES, NOTICES, RETURNS, SUBSCRIPTIONS, pause_after
from nicobar.storage.notices.notices import insert_notice, mark_handled
from nicobar.worker import worker as module
from nicobar.worker.kinds import AT_ONCE, KINDS, Kind
from nicobar.worker.worker import work

PATIENCE = 30.0
"""Seconds after which something that should have happened counts as not happening."""

TENANT = Tenant("bus_0", "test")

Handle = Callable[[Runtime, Tenant, str, str], Awaitable[bool]]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker looks and tries again without a pause worth mentioning."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(module, "pause_after", lambda _tries: timedelta(0))


@pytest.fixture
def handled_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[Handle], None]:
    """Lets notices be handled by a function of the test, and marks those as handled of which it says so."""

    def put(handle: Handle) -> None:
        async def marking(runtime: Runtime, tenant: Tenant, processor: str, notice_id: str) -> bool:
            if not await handle(runtime, tenant, processor, notice_id):
                return False
            async with runtime.database.statement() as tx:
                await mark_handled(tx, tenant, processor, notice_id, runtime.clock.now())
            return True

        monkeypatch.setattr(module, "KINDS", [Kind("handle_notice", NOTICES, marking)])

    return put


async def _until(happened: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await happened():
            await asyncio.sleep(0.02)


async def _notices(runtime: Runtime, what: str) -> list[tuple[object, ...]]:
    async with runtime.database.read() as read:
        return [tuple(row) for row in await read.fetch(f"SELECT {what} FROM notices ORDER BY notice_id")]


async def _is_empty(runtime: Runtime) -> bool:
    return all(handled for (handled,) in await _notices(runtime, "handled_at IS NOT NULL AND due_at IS NULL"))


async def _add(runtime: Runtime, *names: str) -> None:
    async with runtime.database.transaction() as tx:
        for name in names:
            assert await insert_notice(tx, TENANT, "stripe", name, "dispute", "du_0", runtime.clock.now(), "")


class Working:
    """A worker that runs while the block does."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._is_told = False

    async def __aenter__(self) -> "Working":
        self.task = asyncio.create_task(work(self._runtime, Counter()))
        return self

    def end(self) -> None:
        """Tell the worker to end, once: told twice, it breaks off its work."""
        if not self._is_told:  # `cancelling()` counts a time-out of its own that has just run out, too
            self._is_told = True
            self.task.cancel()

    async def __aexit__(self, *_error: object) -> None:
        self.end()
        await asyncio.wait({self.task}, timeout=PATIENCE)
        assert self.task.cancelled()


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
    await _add(runtime, "a", "b")
    async with Working(runtime):
        await _until(lambda: _is_empty(runtime))
    assert calls == {"a": 4, "b": 4}
    assert await _notices(runtime, "notice_id, tries, due_at") == [("a", 4, None), ("b", 4, None)]


async def test_a_failure_waits_for_its_pause(
    runtime: Runtime, clock: FakeClock, handled_by: Callable[[Handle], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_arguments: object) -> bool:
        return False

    handled_by(refuse)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    received = clock.now()
    await _add(runtime, "a")
    async with Working(runtime):
        for tries, pause in ((1, 2), (2, 4), (3, 8)):
            due = clock.now() + timedelta(seconds=pause)

            async def is_put_off(tries: int = tries, due: object = due) -> bool:
                return await _notices(runtime, "tries, due_at") == [(tries, due)]

            await _until(is_put_off)
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
    await _add(runtime, "a")
    async with Working(runtime):
        await _until(lambda: _is_empty(runtime))
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
    await _add(runtime, "a")
    async with runtime.database.read() as read:
        await read.execute(_FULL)
    try:
        async with Working(runtime):
            await _until(called)
            await asyncio.sleep(0.2)
            assert await _notices(runtime, "tries, due_at") == [(1, clock.now() + timedelta(seconds=60))]
            async with runtime.database.read() as read:
                await read.execute("DROP FUNCTION refuse_next_try CASCADE")
            clock.advance(seconds=59)
            await asyncio.sleep(0.2)
            assert calls == ["a"]
            clock.advance(seconds=1)
            await _until(lambda: _is_empty(runtime))
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
    await _add(runtime, "a")
    async with Working(runtime) as worker:
        async with asyncio.timeout(PATIENCE):
            await begun.wait()
        worker.end()
        await asyncio.sleep(0)
        assert done == []
        finish.set()
    assert done == ["a"]
    assert await _is_empty(runtime)


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
    await _add(runtime, "a")
    async with Working(runtime), asyncio.timeout(PATIENCE):
        await begun.wait()
    assert await _notices(runtime, "tries, due_at") == [(1, clock.now() + timedelta(seconds=60))]
    clock.advance(seconds=60)
    async with Working(runtime):
        await _until(lambda: _is_empty(runtime))
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
    await _add(runtime, *names)
    workers = [runtime._replace(public_url=f"http://worker{number}") for number in range(4)]
    async with Working(workers[0]), Working(workers[1]), Working(workers[2]), Working(workers[3]):
        await _until(lambda: _is_empty(runtime))
    assert calls == dict.fromkeys(names, 1)
    assert 0 < most <= AT_ONCE
    assert set(await _notices(runtime, "tries")) == {(1,)}


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
    await _add(runtime, *[f"evt_{number}" for number in range(AT_ONCE + 1)])
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
        assert not await _is_empty(runtime)
        release.set()
        await _until(lambda: _is_empty(runtime))


async def test_a_commit_wakes_the_worker_of_its_process(
    runtime: Runtime, handled_by: Callable[[Handle], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker would look only after the patience of this test has ended."""

    async def done(*_arguments: object) -> bool:
        return True

    monkeypatch.setattr(module, "LOOK_SECONDS", 10 * PATIENCE)
    handled_by(done)
    async with Working(runtime):
        await asyncio.sleep(0.1)
        await _add(runtime, "silent")
        await asyncio.sleep(0.1)
        assert await _notices(runtime, "tries") == [(0,)]
        with pytest.raises(LookupError):
            async with runtime.database.transaction() as tx:
                runtime.database.announce_work(tx, NOTICES.table)
                raise LookupError  # what did not commit wakes nobody
        await asyncio.sleep(0.1)
        assert await _notices(runtime, "tries") == [(0,)]
        async with runtime.database.transaction() as tx:
            runtime.database.announce_work(tx, DELIVERIES.table)  # what is due elsewhere is not looked for
        await asyncio.sleep(0.1)
        assert await _notices(runtime, "tries") == [(0,)]
        async with runtime.database.transaction() as tx:
            runtime.database.announce_work(tx, DELIVERIES.table)
            runtime.database.announce_work(tx, NOTICES.table)
        await _until(lambda: _is_empty(runtime))


async def test_work_that_is_announced_all_the_time_keeps_no_other_kind_from_being_looked_at(
    runtime: Runtime, handled_by: Callable[[Handle], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def done(*_arguments: object) -> bool:
        return True

    async def announce() -> None:
        while True:
            runtime.database.work_announced.tell(DELIVERIES.table)
            await asyncio.sleep(0.001)

    monkeypatch.setattr(module, "LOOK_SECONDS", 0.3)
    monkeypatch.setattr(module, "PACE_SECONDS", 0.001)
    handled_by(done)
    announcing = asyncio.create_task(announce())
    try:
        async with Working(runtime):
            await asyncio.sleep(0.1)
            await _add(runtime, "silent")
            await _until(lambda: _is_empty(runtime))
    finally:
        announcing.cancel()


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
            await _add(runtime, "before")
            await _until(lambda: _is_empty(runtime))
            await _until(cut)
            await _add(runtime, "later")
            await _until(lambda: _is_empty(runtime))
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
