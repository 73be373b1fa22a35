"""What runs alongside the requests: jobs, the sweep, and an eye on the embedded PostgreSQL. Or on its own, as a
worker."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from nicobar.api.auth import take_key_uses
from nicobar.core.counted import counted
from nicobar.flows.business.record_key_uses import record_key_uses
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.probe_readiness import probe_readiness
from nicobar.metrics import MEASURED_SECONDS, Metrics, current
from nicobar.program.banner import say
from nicobar.program.configuration import Configuration
from nicobar.program.installation import check_secrets, run_until_stopped
from nicobar.program.ports import exposed
from nicobar.program.postgres import Postgres, data_folder
from nicobar.storage.database import DatabaseUnavailable, end_if_cancelled
from nicobar.storage.embedded.embedded import EmbeddedError
from nicobar.storage.embedded.privileges import give_up_root
from nicobar.storage.readiness import waiting_jobs
from nicobar.worker.worker import sweep_regularly, work

_log = structlog.get_logger("nicobar.program.background")

LOOK_SECONDS: Final = 5.0
"""How often the embedded PostgreSQL is looked at, which is how soon a dead one is started again."""

KEY_USE_SECONDS: Final = 60.0
"""How often it is stored when keys were last used."""


_NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    "requests": ("request", "requests"),
    "processor_calls": ("call to a payment processor", "calls to payment processors"),
    "deliver_webhook": ("webhook delivery", "webhook deliveries"),
    "handle_notice": ("notice of a processor", "notices of processors"),
    "refund_duplicate_charge": ("refund of a duplicate charge", "refunds of duplicate charges"),
    "work_on_subscription": ("charge of a subscription", "charges of subscriptions"),
}
"""One and many of what can be running: requests, calls that they wait for, and every kind of work of the worker."""

TELL_SECONDS: Final = 1.0
"""How often an end says what it still waits for: an operator must not wonder whether it hangs."""


@asynccontextmanager
async def in_background(runtime: Runtime, postgres: Postgres, *, jobs: bool) -> AsyncIterator[Counter[str]]:
    """Watch the database while the block runs and, with `jobs`, process them and sweep. All ends with the block.

    Yields the counts of jobs that are running, by the names of their kinds.
    """
    running: Counter[str] = Counter()
    tasks = [asyncio.create_task(_watch(runtime, postgres)), asyncio.create_task(_keep_key_uses(runtime))]
    if (metrics := current()) is not None:
        tasks.append(asyncio.create_task(_measure(runtime, metrics)))
    if jobs:
        tasks += [asyncio.create_task(work(runtime, running)), asyncio.create_task(sweep_regularly(runtime))]
    try:
        yield running
    finally:
        for task in tasks:
            task.cancel()
        async with telling(lambda: running):
            await asyncio.gather(*tasks, return_exceptions=True)
        await _store_key_uses(runtime)


@asynccontextmanager
async def telling(running: Callable[[], Mapping[str, int]]) -> AsyncIterator[None]:
    """Say every second that the block takes what is running, by the names of `_NOUNS`."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            if sentence := waiting_for(running()):
                say(sentence)

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()


def waiting_for(running: Mapping[str, int]) -> str:
    """Return the sentence; empty when nothing is running."""
    waited_for = [counted(count, *_NOUNS[name]) for name, count in running.items() if count]
    if not waited_for:
        return ""
    *others, last = waited_for
    return f"Waiting for {', '.join(others)}{' and ' if others else ''}{last} ..."


async def _measure(runtime: Runtime, metrics: Metrics) -> None:
    """Keep the numbers up to date that nobody counts by the way."""
    while True:
        metrics.ready.set(await probe_readiness(runtime) is None)
        with suppress(DatabaseUnavailable):
            async with runtime.database.read() as read:
                jobs, seconds = await waiting_jobs(read)
            metrics.jobs.set(jobs)
            metrics.oldest_job.set(seconds)
        busy, idle = runtime.database.connections
        metrics.connections.labels("busy").set(busy)
        metrics.connections.labels("idle").set(idle)
        end_if_cancelled()
        await asyncio.sleep(MEASURED_SECONDS)


async def _keep_key_uses(runtime: Runtime) -> None:
    """Store once a minute when keys were last used."""
    while True:
        await asyncio.sleep(KEY_USE_SECONDS)
        await _store_key_uses(runtime)
        end_if_cancelled()


async def _store_key_uses(runtime: Runtime) -> None:
    if uses := take_key_uses(runtime.database):
        try:
            await record_key_uses(runtime, uses)
        except DatabaseUnavailable as error:
            _log.warning("key_uses_lost", why=str(error), keys=len(uses))


async def _watch(runtime: Runtime, postgres: Postgres) -> None:
    """Start the embedded PostgreSQL again should it have died."""
    while postgres.embedded is not None:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            async with runtime.database.read() as read:
                await read.fetchval("SELECT 1")
        except DatabaseUnavailable as error:
            end_if_cancelled()
            _log.warning("database_lost", why=str(error))
            await _revive(runtime, postgres)
        end_if_cancelled()


async def _revive(runtime: Runtime, postgres: Postgres) -> None:
    try:
        await asyncio.to_thread(postgres.revive)
    except EmbeddedError as error:
        _log.error("postgres_not_revived", why=str(error))
    else:
        runtime.database.dsn = postgres.dsn


def run_worker(configuration: Configuration) -> None:
    """Process jobs until told to stop. Raises PortError, EmbeddedError, InstallationError or MigrationError."""

    @asynccontextmanager
    async def working(runtime: Runtime, postgres: Postgres) -> AsyncIterator[None]:
        await check_secrets(runtime)
        for notice in give_up_root(data_folder(configuration), is_embedded=postgres.embedded is not None):
            say(notice)
        async with in_background(runtime, postgres, jobs=True):
            say(f"Working on the jobs of {postgres.place} until Ctrl-C.")
            yield

    with exposed(configuration.metrics_port):
        run_until_stopped(configuration, working)
