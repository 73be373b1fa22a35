"""A supervisor whose first process dies when it is ready and the second is not: what `nicobar serve --workers 2` runs,
with servers that do nothing else.

    python tests/faults/first_process_dies.py FOLDER
"""

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from nicobar.program import processes
from nicobar.program.configuration import Configuration
from nicobar.program.stop import Stop

FOLDER = Path(sys.argv[1])


class NoPostgres:
    """In the place of a use of PostgreSQL."""

    def __init__(self, _configuration: Configuration) -> None:
        """Use nothing."""

    def leave_to_parent(self) -> None:
        """Leave nothing."""

    def release(self) -> None:
        """Release nothing."""


def run_server(
    _configuration: Configuration,
    _postgres: NoPostgres,
    _listener: socket.socket,
    stop: Stop,
    *,
    announce: Callable[[str], None],
    **_others: Any,
) -> None:
    """Serve nobody. The second is ready only after the first has been replaced."""
    name = multiprocessing.current_process().name
    if name == "nicobar-1":
        is_replacement = (FOLDER / "second").exists()
        announce(f"{name} is ready.")
        if not is_replacement:
            _wait(FOLDER / "second", stop)
            os.kill(os.getpid(), signal.SIGKILL)
        (FOLDER / "replaced").touch()
    else:
        (FOLDER / "second").touch()
        _wait(FOLDER / "replaced", stop)
        announce(f"{name} is ready.")
    while not stop.asked:
        time.sleep(0.01)


def _wait(file: Path, stop: Stop) -> None:
    while not file.exists() and not stop.asked:
        time.sleep(0.01)


if __name__ == "__main__":
    configuration = Configuration()
    with (
        mock.patch.multiple(processes, run_server=run_server, Postgres=NoPostgres),
        Stop() as stop,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        serving = processes.Serving(configuration, listener, demo=False, jobs=False, processes=2)
        processes.supervise(serving, NoPostgres(configuration), stop)  # type: ignore[arg-type]
