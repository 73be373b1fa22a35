"""`nicobar serve`: open everything, serve until told to stop, leave nothing running.

The order is chosen so that what can be refused is refused first (the port, then the database), and so that the two slow
steps of a start, PostgreSQL and the imports, run side by side.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

import structlog
import uvicorn
import uvloop

from nicobar.banner import Banner, step
from nicobar.demo import DEMO_NAME, prepare_demo
from nicobar.flows.runtime import Runtime
from nicobar.flows.sweep import sweep
from nicobar.installation import Postgres, claim_port, data_folder, open_runtime, own_business, port_error
from nicobar.logs import configure_logs
from nicobar.settings import Settings
from nicobar.storage.database import DatabaseUnavailable
from nicobar.storage.embedded import EmbeddedError
from nicobar.storage.keys import list_keys

_log = structlog.get_logger("nicobar.server")

DRAIN_SECONDS: Final = 10
"""How long requests that are running may take to finish after the first Ctrl-C or SIGTERM."""

SWEEP_SECONDS: Final = 5.0
"""How often the sweep runs, which is also how soon a dead embedded PostgreSQL is noticed."""

KEEP_ALIVE_SECONDS: Final = 75
"""How long an idle connection stays open: longer than the 60 seconds of common reverse proxies, which would otherwise
now and then send a request on a connection that is just being closed."""

_BACKLOG: Final = 2048
"""Connections that the operating system holds until they are accepted."""


def serve(settings: Settings, *, demo: bool) -> None:
    """Serve until Ctrl-C or SIGTERM, then return with everything released.

    Raises InstallationError, EmbeddedError or MigrationError, each with complete advice, when it cannot start.
    """
    configure_logs(settings.log)
    with Stop() as stop, claim_port(settings.host, settings.port) as listener:
        postgres = _open_beside_imports(settings)
        try:
            if not stop.asked:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, suppress(asyncio.CancelledError):
                    runner.run(_serve(settings, postgres, listener, stop, demo=demo))
        finally:
            with step("Stopping PostgreSQL"):
                postgres.release()


def _open_beside_imports(settings: Settings) -> Postgres:
    """Open PostgreSQL in a thread while this one imports the application, which takes about as long."""
    what = "Starting the embedded PostgreSQL" if settings.database_url is None else "Importing the application"
    with step(what), ThreadPoolExecutor(1) as threads:
        opening = threads.submit(Postgres, settings)
        try:
            import nicobar.app  # noqa: F401 - imported for its time, see above
        except BaseException:
            opening.result().release()
            raise
        postgres = opening.result()
    for notice in postgres.notices:
        print(notice, file=sys.stderr)  # noqa: T201 - for the person who starts the server
    return postgres


async def _serve(settings: Settings, postgres: Postgres, listener: socket.socket, stop: "Stop", *, demo: bool) -> None:
    from nicobar.app import create_app

    port: int = listener.getsockname()[1]
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs is a task
    with stop.calling(task.cancel):
        with step(f"Preparing the database {postgres.place}"):
            runtime_context = open_runtime(postgres, settings, port)
            runtime = await runtime_context.__aenter__()
