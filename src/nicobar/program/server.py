"""The server while it runs: requests, jobs alongside them, and an orderly end."""

import asyncio
import gc
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager, suppress
from functools import partial
from typing import Final, cast

import uvicorn
import uvloop
from starlette.types import ASGIApp

from nicobar.app import create_app
from nicobar.flows.runtime import Runtime
from nicobar.processors.open_calls import open_calls
from nicobar.program.background import in_background, telling
from nicobar.program.banner import ready, say, step
from nicobar.program.configuration import Configuration
from nicobar.program.demo import prepare_demo
from nicobar.program.http.http_connections import Connections
from nicobar.program.http.http_limits import BoundedProtocol, allow_many_connections
from nicobar.program.installation import check_secrets, explained, open_runtime, own_business
from nicobar.program.logs import configure_logs
from nicobar.program.ports import accepting, listen
from nicobar.program.postgres import Postgres, data_folder
from nicobar.program.stop import Stop
from nicobar.storage.business.keys import list_keys
from nicobar.storage.embedded.privileges import give_up_root

DRAIN_SECONDS: Final = 10
"""How long running requests may take to finish after the first request to stop."""

YOUNG_OBJECTS: Final = 5_000
"""After so many new objects garbage is collected. Python's own 700 are what a few requests under way hold, so that
each collection looks at them in vain."""


def _show(banner: str) -> None:
    say(banner, coloured=True)


def run_server(
    configuration: Configuration,
    postgres: Postgres,
    listener: socket.socket,
    stop: Stop,
    *,
    demo: bool,
    jobs: bool,
    processes: int = 1,
    announce: Callable[[str], None] = _show,
    tell: Callable[[str], None] = say,
) -> None:
    """Serve on a bound socket until told to stop, and process `jobs` meanwhile, as one of so many `processes`.

    `announce` gets the banner when the server is ready, `tell` what an operator should know. Raises PortError,
    InstallationError or MigrationError.
    """
    configure_logs(configuration.log)
    allow_many_connections()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, suppress(asyncio.CancelledError):
        opening = partial(open_runtime, postgres, configuration, serving=True, processes=processes)
        runner.run(_serve(configuration, postgres, listener, stop, opening, announce, tell, demo=demo, jobs=jobs))


async def _serve(
    configuration: Configuration,
    postgres: Postgres,
    listener: socket.socket,
    stop: Stop,
    opening: Callable[[int], AbstractAsyncContextManager[Runtime]],
    announce: Callable[[str], None],
    tell: Callable[[str], None],
    *,
    demo: bool,
    jobs: bool,
) -> None:
    server: _Server | None = None
    task, loop = asyncio.current_task(), asyncio.get_running_loop()

    def react() -> None:
        """Drain at the first request to stop; break off at the second, or when the server is not up yet."""
        if server is not None and server.started and stop.asked == 1:
            server.should_exit = True
        elif task is not None:
            task.cancel()

    with stop.calling(lambda: loop.call_soon_threadsafe(react)):
        async with AsyncExitStack() as opened:
            with step("Preparing the database"):
                port = listener.getsockname()[1]
                runtime = await opened.enter_async_context(opening(port))
                banner = await _prepare(runtime, configuration, postgres, demo=demo)
            for notice in give_up_root(data_folder(configuration), is_embedded=postgres.embedded is not None):
                tell(notice)
            app = create_app(runtime, None if demo else configuration.rate_limit, configuration.trusted_proxies)
            listen(listener, configuration.host)
            running = await opened.enter_async_context(in_background(runtime, postgres, jobs=jobs))
            server = _Server(server_config(app), lambda: announce(banner), running)
            await server.serve(accepting(listener))


async def _prepare(runtime: Runtime, configuration: Configuration, postgres: Postgres, *, demo: bool) -> str:
    """Ensure that there is a business and, for a demo, something to show; return the banner."""
    with explained(configuration):
        business_id = await own_business(runtime)
        await check_secrets(runtime)
        goods = await prepare_demo(runtime, business_id, data_folder(configuration)) if demo else None
        async with runtime.database.read() as read:
            has_key = any(stored.is_valid(runtime.real_now()) for stored in await list_keys(read, business_id))
    return ready(configuration, runtime.public_url, postgres.place, demo=goods, has_key=has_key)


def server_config(app: ASGIApp, connections: Connections | None = None) -> uvicorn.Config:
    """Return how uvicorn serves the application: by our protocol, and adds nothing of its own."""
    return uvicorn.Config(
        app,
        http=cast(type[asyncio.Protocol], partial(BoundedProtocol, connections or Connections())),
        ws="none",
        lifespan="off",
        server_header=False,  # what serves is nobody's business
        log_config=None,  # logs.py has it
        access_log=False,  # the application logs its requests itself, with their ids
        proxy_headers=False,  # app.py:RequestLog reads what a proxy says about the client, and nothing else does
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


class _Server(uvicorn.Server):
    """uvicorn without its own handling of signals, which would end the process by the signal and not with status 0."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None], jobs: Mapping[str, int]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._jobs = jobs

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `Stop`."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, then announce it."""
        gc.freeze()  # what was made until now stays: no collection has to look at it again
        gc.set_threshold(YOUNG_OBJECTS)
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let what is running end, and say every second what that is."""
        async with telling(self._running):
            await super().shutdown(sockets)

    def _running(self) -> dict[str, int]:
        requests = len(self.server_state.tasks)
        return {"requests": requests, "processor_calls": open_calls(), **self._jobs}
