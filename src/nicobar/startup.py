"""From nothing to a running server, and back to nothing.

What can be refused is refused first: the port, then the database. The two slow steps of a start, opening PostgreSQL
and importing the server, run side by side, which is why little is imported here. Whatever happens, and whenever
Ctrl-C comes, the embedded PostgreSQL is released at the end.
"""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from nicobar.banner import say, step
from nicobar.ports import claim_port
from nicobar.postgres import Postgres
from nicobar.settings import Settings


class Stop:
    """Counts requests to stop (Ctrl-C, SIGTERM, a closed terminal) instead of breaking off whatever runs.

    An exception out of a signal handler could hit between two lines and leave PostgreSQL running.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._react: Callable[[], object] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Take the signals over. One that was ignored stays ignored, so that `nohup` works."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.asked += 1
        if self._react is not None:
            self._react()

    @contextmanager
    def calling(self, react: Callable[[], object]) -> Iterator[None]:
        """Call `react` at each request to stop while the block runs, also when one came before."""
        self._react = react
        try:
            if self.asked:
                react()
            yield
        finally:
            self._react = None


def serve(settings: Settings, *, demo: bool) -> None:
    """Serve until told to stop, then return with everything released.

    Raises PortError, EmbeddedError, InstallationError or MigrationError, whose messages are complete advice.
    """
    with Stop() as stop, claim_port(settings.host, settings.port) as listener:
        what = "Starting PostgreSQL" if settings.database_url is None else "Starting"
        with step(what), ThreadPoolExecutor(1) as threads:
            opening = threads.submit(Postgres, settings)
            try:
                from nicobar.server import run_server
            except BaseException:
                opening.result().release()
                raise
            postgres = opening.result()
        try:
            for notice in postgres.notices:
                say(notice)
            if not stop.asked:
                run_server(settings, postgres, listener, stop, demo=demo)
        finally:
            with step("Stopping PostgreSQL"):
                postgres.release()
    say("Stopped.")
