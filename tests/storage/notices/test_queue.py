"""The queue's tables are those of the library that works on them."""

import asyncpg
from pgqueuer.adapters.persistence.queries import Queries

from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.forget_ended_jobs import forget_ended_jobs
from nicobar.flows.upkeep.resume_held_jobs import resume_held_jobs
from nicobar.storage.notices.queue import enqueue


async def test_the_library_would_change_nothing_but_its_trigger(runtime: Runtime) -> None:
    connection = await asyncpg.connect(runtime.database.dsn)
    try:
        plan = await Queries.from_asyncpg_connection(connection).plan_upgrade()
    finally:
        await connection.close()
    changes = [" ".join(statement.split()[:3]) for statement in plan.statements]
    assert [change for change in changes if "FUNCTION" not in change and "TRIGGER" not in change] == []
    assert any("tg_pgqueuer_changed" in statement for statement in plan.statements)


async def test_a_job_is_queued_once_while_it_waits(runtime: Runtime) -> None:
    for payload in (b"1", b"2"):
        async with runtime.database.transaction() as tx:
            await enqueue(tx, "handle_notice", payload, "notice/x")
    async with runtime.database.transaction() as tx:
        await enqueue(tx, "handle_notice", b"3", "notice/y")
    async with runtime.database.read() as read:
        rows = await read.fetch("SELECT payload, dedupe_key, status::text FROM pgqueuer ORDER BY id")
    assert [tuple(row) for row in rows] == [(b"1", "notice/x", "queued"), (b"3", "notice/y", "queued")]


async def test_a_job_vanishes_with_its_transaction(runtime: Runtime) -> None:
    try:
        async with runtime.database.transaction() as tx:
            await enqueue(tx, "handle_notice", b"1", "notice/x")
            raise LookupError
    except LookupError:
        pass
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM pgqueuer") == 0


async def test_notes_about_jobs_are_forgotten_after_a_while(runtime: Runtime) -> None:
    async with runtime.database.read() as read:
        await read.execute(
            "INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint)"
            " SELECT now() - age, days, 'successful', 0, 'handle_notice'"
            " FROM (VALUES (6, interval '6 days'), (8, interval '8 days')) AS notes (days, age)"
        )
    await forget_ended_jobs(runtime)
    async with runtime.database.read() as read:
        assert [row["job_id"] for row in await read.fetch("SELECT job_id FROM pgqueuer_log")] == [6]


async def test_a_job_that_is_held_is_resumed_unless_its_key_waits_again(runtime: Runtime) -> None:
    for key in ("notice/x", "notice/y", "notice/y"):
        async with runtime.database.transaction() as tx:
            await enqueue(tx, "handle_notice", key.encode(), key)
            await tx.execute("UPDATE pgqueuer SET status = 'failed', execute_after = now() + interval '1 hour'")
    async with runtime.database.transaction() as tx:
        await enqueue(tx, "handle_notice", b"new", "notice/x")
    assert await resume_held_jobs(runtime) == 1
    async with runtime.database.read() as read:
        rows = await read.fetch("SELECT payload, status::text, execute_after <= now() FROM pgqueuer ORDER BY id")
    assert [tuple(row) for row in rows] == [
        (b"notice/x", "failed", False),
        (b"notice/y", "queued", True),
        (b"notice/y", "failed", False),
        (b"new", "queued", True),
    ]
