"""The worker runs jobs until they are done, whatever happens to them, and stops when it is told to."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.resume_held_jobs import resume_held_jobs
from nicobar.storage.database import Database, DatabaseUnavailable
from nicobar.storage.notices.queue import enqueue
from nicobar.worker import worker as module
from nicobar.worker.jobs import JOBS, pause_after
from nicobar.worker.worker import work

PATIENCE = 30.0
"""Seconds after which something that should have happened counts as not happening."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker looks and tries again without a pause worth mentioning."""
    monkeypatch.setattr(module, "LOOK_EVERY", timedelta(seconds=0.05))
    monkeypatch.setattr(module, "pause_after", lambda _tries: timedelta(0))


async def _until(happened: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await happened():
            await asyncio.sleep(0.02)


async def _waiting(runtime: Runtime) -> int:
    async with runtime.database.read() as read:
        waiting: int = await read.fetchval("SELECT count(*) FROM pgqueuer")
    return waiting


async def _add(runtime: Runtime, name: str, *payloads: bytes) -> None:
    async with runtime.database.transaction() as tx:
        for payload in payloads:
            await enqueue(tx, name, payload, f"{name}/{payload.decode()}")


class Working:
    """A worker that runs while the block does."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def __aenter__(self) -> "asyncio.Task[None]":
        self.task = asyncio.create_task(work(self._runtime))
        return self.task

    async def __aexit__(self, *_error: object) -> None:
        if not self.task.cancelling():  # told twice, it breaks its jobs off
            self.task.cancel()
        await asyncio.wait({self.task}, timeout=PATIENCE)
        assert self.task.cancelled()


@pytest.mark.usefixtures("quick")
async def test_a_job_runs_until_it_is_done(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bytes] = []

    async def stubborn(_runtime: Runtime, payload: bytes) -> bool:
        calls.append(payload)
        match calls.count(payload):
            case 1:
                raise DatabaseUnavailable("gone")
            case 2:
                raise ZeroDivisionError
            case 3:
                return False
            case _:
                return True

    monkeypatch.setitem(JOBS, "stubborn", stubborn)
    await _add(runtime, "stubborn", b"a", b"b")
    async with Working(runtime):
        await _until(lambda: _is(runtime, 0))
    assert sorted(calls) == [b"a"] * 4 + [b"b"] * 4


async def _is(runtime: Runtime, count: int) -> bool:
    return await _waiting(runtime) == count


_FULL = """
CREATE FUNCTION refuse_next_try() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE disk_full USING MESSAGE = 'could not extend file'; END $$;
CREATE TRIGGER refuse_next_try BEFORE UPDATE ON pgqueuer FOR EACH ROW WHEN (NEW.attempts > OLD.attempts)
    EXECUTE FUNCTION refuse_next_try()
"""


@pytest.mark.usefixtures("quick")
async def test_a_job_whose_next_try_cannot_be_noted_is_not_lost(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full just when a job that failed goes back into the queue."""
    calls: list[bytes] = []

    async def stubborn(_runtime: Runtime, payload: bytes) -> bool:
        calls.append(payload)
        return len(calls) > 1

    async def held() -> bool:
        async with runtime.database.read() as read:
            return [row["status"] for row in await read.fetch("SELECT status::text FROM pgqueuer")] == ["failed"]

    monkeypatch.setitem(JOBS, "stubborn", stubborn)
    await _add(runtime, "stubborn", b"a")
    async with runtime.database.read() as read:
        await read.execute(_FULL)
    try:
        async with Working(runtime):
            await _until(held)
            assert calls == [b"a"]
            async with runtime.database.read() as read:
                await read.execute("DROP FUNCTION refuse_next_try CASCADE")
            assert await resume_held_jobs(runtime) == 1
            await _until(lambda: _is(runtime, 0))
    finally:
        async with runtime.database.read() as read:
            await read.execute("DROP FUNCTION IF EXISTS refuse_next_try CASCADE")
    assert calls == [b"a", b"a"]
    assert await resume_held_jobs(runtime) == 0


@pytest.mark.usefixtures("quick")
async def test_a_running_job_ends_before_the_worker_does(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, finish, done = asyncio.Event(), asyncio.Event(), []

    async def slow(_runtime: Runtime, payload: bytes) -> bool:
        begun.set()
        await finish.wait()
        done.append(payload)
        return True

    monkeypatch.setitem(JOBS, "slow", slow)
    await _add(runtime, "slow", b"a")
    async with Working(runtime) as task:
        async with asyncio.timeout(PATIENCE):
            await begun.wait()
        task.cancel()
        await asyncio.sleep(0)
        assert done == []
        finish.set()
    assert done == [b"a"]
    assert await _waiting(runtime) == 0


@pytest.mark.usefixtures("quick")
async def test_the_worker_survives_a_lost_connection(runtime: Runtime) -> None:
    """Every connection of its database is cut, as when PostgreSQL is restarted."""
    handled: list[bytes] = []

    async def note(_runtime: Runtime, payload: bytes) -> bool:
        handled.append(payload)
        return True

    database = Database(runtime.database.dsn, size=2)
    JOBS["note"] = note
    try:
        async with Working(runtime._replace(database=database)):
            await _add(runtime, "note", b"before")
            await _until(lambda: _is(runtime, 0))
            async with runtime.database.read() as read:
                cut = await read.fetchval(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND query LIKE '%pgqueuer%' AND pid <> pg_backend_pid()"
                )
            assert cut >= 1
            await _add(runtime, "note", b"after")
            await _until(lambda: _is(runtime, 0))
    finally:
        del JOBS["note"]
        await database.close()
    assert handled == [b"before", b"after"]


def test_pauses_grow_to_half_an_hour() -> None:
    assert [pause_after(tries).total_seconds() for tries in (0, 1, 2, 5, 9, 10, 1000)] == [
        2,
        4,
        8,
        64,
        1024,
        1800,
        1800,
    ]
