"""Works jobs off as they come and sweeps from time to time, until it is cancelled. It survives a lost database.

A job ends only when its flow says so. One that failed, for whatever reason, goes back into the queue; one whose worker
died is taken by another as soon as its heartbeat has stopped for half a minute. One that cannot even go back, because
PostgreSQL takes no writes, is held and goes back with the sweep. Flows bear being run twice.
"""

import asyncio
import gc
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.storage.database import DatabaseUnavailable
from nicobar.worker.jobs import JOBS, Job, pause_after

if TYPE_CHECKING:
    from pgqueuer.core.qm import QueueManager
    from pgqueuer.domain.models import Job as QueuedJob

    from nicobar.storage.notices.queue_connection import QueueConnection

_log = structlog.get_logger("nicobar.worker")

LOOK_EVERY: Final = timedelta(seconds=1)
"""How often the queue is looked at, and so how late a job may start."""

AT_ONCE: Final = 20
"""Jobs that one worker runs side by side."""

SWEEP_SECONDS: Final = 5.0
"""How often the sweep runs, which is also how soon a lost database is noticed."""

DRAIN_SECONDS: Final = 5.0
"""How long running jobs may take to end when the worker stops; then they are cut off, and taken up again later."""


async def work(runtime: Runtime) -> None:
    """Run jobs until cancelled. While the database cannot be reached, try again every second."""
    while True:
        try:
            await _work_connected(runtime)
        except DatabaseUnavailable as error:
            _log.warning("queue_unavailable", why=str(error))
        except Exception:  # noqa: BLE001 - the library lets the driver's exceptions through, and others of its own
            _log.warning("queue_interrupted", exc_info=True)
        await asyncio.sleep(LOOK_EVERY.total_seconds())


async def sweep_regularly(runtime: Runtime) -> None:
    """Sweep from time to time until cancelled; a round that fails is logged, and the next gets its chance."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            await sweep(runtime)
        except DatabaseUnavailable as error:
            _log.warning("sweep_skipped", why=str(error))
        except Exception:  # noqa: BLE001 - whatever it is, the next round gets its chance
            _log.exception("sweep_failed")


async def _work_connected(runtime: Runtime) -> None:
    """Run jobs on one connection for as long as it lasts."""
    queue_manager, queue_connection = await asyncio.to_thread(_load_library)
    connection = await queue_connection.open(runtime.database.dsn)
    manager = queue_manager(connection.queries)
    for name, job in JOBS.items():
        # The library deletes a job that it cannot put back into the queue, unless it is told to hold it.
        manager.entrypoint(name, accepts_context=False, on_failure="hold")(partial(_run, runtime, job))
    running = asyncio.create_task(
        manager.run(
            dequeue_timeout=LOOK_EVERY,
            batch_size=AT_ONCE // 2,
            max_concurrent_tasks=AT_ONCE,
            shutdown_on_listener_failure=True,
            log_aggregation_interval=timedelta(0),  # nobody reads its statistics
        )
    )
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await _drain(manager, running)
        raise
    finally:
        connection.cut()


async def _drain(manager: "QueueManager", running: "asyncio.Task[None]") -> None:
    """Let running jobs end, within `DRAIN_SECONDS` or until cancelled once more; how it ends is unimportant."""
    running.add_done_callback(lambda task: task.cancelled() or task.exception())
    manager.shutdown.set()
    try:
        await asyncio.wait({running}, timeout=DRAIN_SECONDS)
    finally:
        running.cancel()


async def _run(runtime: Runtime, job: Job, queued: "QueuedJob") -> None:
    """Run one job, and put it back into the queue unless it is done."""
    from pgqueuer.domain.errors import RetryRequested

    try:
        done = await job(runtime, queued.payload or b"")
    except DatabaseUnavailable as error:
        _log.warning("job_interrupted", job=queued.entrypoint, why=str(error))
        done = False
    except Exception:  # noqa: BLE001 - no job is lost because of a bug: it is tried again, and the log says why
        _log.exception("job_failed", job=queued.entrypoint, tries=queued.attempts + 1)
        done = False
    if not done:
        raise RetryRequested(pause_after(queued.attempts))


def _load_library() -> "tuple[type[QueueManager], type[QueueConnection]]":
    """Import the library, in a thread: it takes half a second, in which requests are to be served."""
    from pgqueuer.core.qm import QueueManager

    from nicobar.storage.notices.queue_connection import QueueConnection

    gc.freeze()  # the library stays loaded: no collection has to look at it again
    return QueueManager, QueueConnection
