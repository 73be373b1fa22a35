"""Several server processes on one port, and the process that starts them, replaces what dies and ends them all.

They share the listening socket, which the supervisor has bound (docs/decisions/0034). Each is a whole server of its
own: a runtime, a pool of connections, a use of the embedded PostgreSQL, jobs. Nothing that must be right is kept in the
memory of one of them.
"""

import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Final, NamedTuple

import structlog

from nicobar.program.banner import say
from nicobar.program.configuration import Configuration
from nicobar.program.installation import InstallationError
from nicobar.program.logs import configure_logs
from nicobar.program.ports import PortError, exposed
from nicobar.program.postgres import Postgres
from nicobar.program.server import run_server
from nicobar.program.stop import Stop
from nicobar.storage.embedded.embedded import EmbeddedError
from nicobar.storage.migrate import MigrationError
from nicobar.vault import VaultError

SHORT_LIFE: Final = 60.0
"""Seconds. A process that has died earlier is replaced after a pause, which doubles each time."""

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0

_SIGNALS: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})

_log = structlog.get_logger(__name__)


class Serving(NamedTuple):
    """What all processes have in common."""

    configuration: Configuration
    listener: socket.socket
    demo: bool
    jobs: bool
    processes: int


class _Report(NamedTuple):
    """What a process tells its supervisor, once."""

    is_ready: bool
    text: str
    """Its banner, or why it cannot start."""


class _Place:
    """One of the processes, and those that follow it when it dies."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: ForkProcess | None = None
        self.report: Connection | None = None
        self.banner: str | None = None
        """Of the process that is ready now."""
        self.began = 0.0
        self.starts_at = 0.0
        """When the next process is to start, by the monotonic clock."""
        self.short_lives = 0

    def died(self, now: float) -> None:
        """Give up the process that has ended, and decide when the next one starts."""
        self.short_lives = self.short_lives + 1 if now - self.began < SHORT_LIFE else 0
        self.starts_at = now + pause(self.short_lives)
        if self.report is not None:
            self.report.close()
        self.process = self.report = self.banner = None


def pause(short_lives: int) -> float:
    """Return the seconds until a process is replaced, after so many in a row that did not live for long."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(short_lives - 1, 10)) if short_lives else 0.0


def supervise(serving: Serving, postgres: Postgres, stop: Stop) -> None:
    """Serve with several processes until told to stop.

    The first one alone prepares database and demo; the others start when it is ready. Raises InstallationError when it
    cannot start.
    """
    configure_logs(serving.configuration.log)
    gc.freeze()  # what is imported stays shared with all of them
    asked, ask = os.pipe()
    os.set_blocking(ask, False)

    def react() -> None:
        with suppress(BlockingIOError):
            os.write(ask, b".")

    try:
        with stop.calling(react):
            _Supervisor(serving, postgres, stop, asked).run()
    finally:
        os.close(asked)
        os.close(ask)


class _Supervisor:
    def __init__(self, serving: Serving, postgres: Postgres, stop: Stop, asked: int) -> None:
        self._serving = serving
        self._postgres = postgres
        self._stop = stop
        self._asked = asked
        """A pipe with a byte for each request to stop."""
        self._places = [_Place(number) for number in range(1, serving.processes + 1)]
        self._is_prepared = False
        """Whether the first process was ready once: the database is in order, and what an operator should know is said.
        """
        self._announced = False

    def run(self) -> None:
        """Start, replace and end processes."""
        try:
            while not self._stop.asked:
                self._start_what_is_due()
                self._wait()
        finally:
            self._serving.listener.close()  # nobody may wait in its queue for a process that accepts no more
            self._end()

    def _start_what_is_due(self) -> None:
        now = time.monotonic()
        for place in self._places:
            if place.number > 1 and not self._is_prepared:
                return
            if place.process is None and place.starts_at <= now:
                self._start(place)

    def _start(self, place: _Place) -> None:
        """Start a process, whose own handlers of signals are in place before any signal reaches it."""
        context = multiprocessing.get_context("fork")
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(
            target=_serve_in_process,
            args=(self._serving, self._postgres, os.getpid(), place.number, sending),
            kwargs={"is_first": not self._is_prepared},
            name=f"nicobar-{place.number}",
        )
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        sending.close()
        place.process, place.report, place.began = process, receiving, time.monotonic()

    def _wait(self) -> None:
        """Wait for a report, an end, a request to stop, or the moment at which a process is due."""
        due = [place.starts_at for place in self._places if place.process is None]
        seconds = max(0.0, min(due) - time.monotonic()) if due and self._is_prepared else None
        reports = {place.report: place for place in self._places if place.report is not None and place.banner is None}
        ends = {place.process.sentinel: place for place in self._places if place.process is not None}
        happened = wait([*reports, *ends, self._asked], seconds)
        for each in happened:
            if isinstance(each, Connection):
                self._hear(reports[each], each)
        for each in happened:
            if isinstance(each, int) and each in ends:
                self._bury(ends[each])

    def _hear(self, place: _Place, report: Connection) -> None:
        try:
            told: _Report = report.recv()
        except EOFError:
            return  # it has died, which is seen by its end
        if not told.is_ready:
            if not self._announced:
                raise InstallationError(told.text)
            _log.error("process_cannot_start", number=place.number, why=told.text)
            return
        place.banner = told.text
        self._is_prepared = True
        if not self._announced and all(each.banner is not None for each in self._places):
            self._announced = True
            say(told.text, coloured=True)

    def _bury(self, place: _Place) -> None:
        process = place.process
        if process is None or self._stop.asked:
            return
        if place.report is not None and place.banner is None and place.report.poll():
            self._hear(place, place.report)  # why it could not start
        process.join()
        if not self._is_prepared:
            raise InstallationError(f"The server ended while it started: {_cause(process)}.")
        place.died(time.monotonic())
        _log.error(
            "process_died",
            number=place.number,
            pid=process.pid,
            why=_cause(process),
            next_in_seconds=round(pause(place.short_lives), 1),
        )

    def _end(self) -> None:
        """Pass each request to stop on, and wait until all have ended."""
        passed = 0
        processes = [place.process for place in self._places if place.process is not None]
        while alive := [process for process in processes if process.is_alive()]:
            asked = max(1, self._stop.asked)  # after an error they are asked once
            for _ in range(asked - passed):
                for process in alive:
                    process.terminate()
            passed = max(asked, passed)
            os.set_blocking(self._asked, False)
            with suppress(BlockingIOError):
                os.read(self._asked, 1024)
            wait([*(process.sentinel for process in alive), self._asked])
        for place in self._places:
            if place.process is None:
                continue
            place.process.join()
            if place.banner is not None and place.process.exitcode:
                _log.error("process_died", number=place.number, pid=place.process.pid, why=_cause(place.process))


def _cause(process: ForkProcess) -> str:
    code = process.exitcode or 0
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"it ended with status {code}"


def _serve_in_process(
    serving: Serving, held: Postgres, supervisor: int, number: int, report: Connection, *, is_first: bool
) -> None:
    """Be one of the processes. `held` is the supervisor's use of PostgreSQL, which stays the supervisor's."""
    os.setpgid(0, 0)  # Ctrl-C reaches the supervisor alone, which passes it on
    with Stop() as stop:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        threading.Thread(target=_end_with, args=(supervisor,), daemon=True).start()
        held.leave_to_parent()
        tell: Callable[[str], None] = say if is_first else _keep_silent
        configuration = serving.configuration
        metrics_port = None if configuration.metrics_port is None else configuration.metrics_port + number - 1
        try:
            with exposed(metrics_port):
                postgres = Postgres(configuration)
                try:
                    run_server(
                        configuration,
                        postgres,
                        serving.listener,
                        stop,
                        demo=serving.demo,
                        jobs=serving.jobs,
                        processes=serving.processes,
                        announce=lambda banner: report.send(_Report(True, banner)),
                        tell=tell,
                    )
                finally:
                    postgres.release()
        except (PortError, InstallationError, EmbeddedError, MigrationError, VaultError) as error:
            report.send(_Report(False, str(error)))
            sys.exit(2)


def _end_with(supervisor: int) -> None:
    """End this process in order when its supervisor is gone: nobody else would."""
    while os.getppid() == supervisor:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _keep_silent(_text: str) -> None:
    """Say nothing: the first process has said it."""
