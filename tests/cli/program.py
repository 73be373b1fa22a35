"""Runs the program `nicobar` the way a person does, as a process of its own, and waits by asking, never by sleeping."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROGRAM = [sys.executable, "-m", "nicobar"]
_PROGRESS = re.compile(r"^[A-Z][a-z][A-Za-z ]* \.\.\.\n", re.MULTILINE)
PATIENCE = 60.0
"""Seconds after which something that should have happened counts as not happening; a good run needs a fraction."""


KEY_FILE = Path(tempfile.mkdtemp(prefix="nicobar-cli-key-"), "nicobar.key")
"""The encryption key of the commands under test, lest one is made for whoever runs the tests."""


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without the settings of Nicobar, and with `extra`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NICOBAR_")}
    return clean | {"NICOBAR_KEY_FILE": str(KEY_FILE)} | extra


def heed_signals() -> None:
    """Give a child the signals back that a run in the background (`&`, nohup) ignores, and hands on ignored."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def run(*arguments: str | Path, **extra: str) -> "subprocess.CompletedProcess[str]":
    """Run one command to its end, and return it without its lines of progress, which only a slow computer sees."""
    result = subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment(**extra),
        timeout=PATIENCE,
        check=False,
    )
    result.stdout, result.stderr = (_PROGRESS.sub("", text) for text in (result.stdout, result.stderr))
    return result


def eventually(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Ask until the answer is something true, and return it; fail when it never is."""
    deadline = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
    return answer


def postmaster(data: Path) -> int | None:
    """Return the process id of the PostgreSQL that runs in a data folder, or None."""
    try:
        return int((data / "postgres" / "postmaster.pid").read_text().split()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def new_folder() -> Path:
    """Make a folder that PostgreSQL's user may pass through, should the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="nicobar-cli-"))
    folder.chmod(0o711)
    return folder


class Serving:
    """A server that was started with `nicobar serve`."""

    def __init__(self, *arguments: str | Path, **extra: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nicobar-cli-")
        self._out, self._err = Path(self._folder.name, "out"), Path(self._folder.name, "err")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*PROGRAM, "serve", "--port", "0", *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment(**extra),
                preexec_fn=heed_signals,
            )

    @property
    def banner(self) -> str:
        return self._out.read_text()

    @property
    def log(self) -> str:
        return self._err.read_text()

    def ready(self) -> "Serving":
        """Wait until the banner is complete."""
        eventually(
            lambda: ("\n  Base URL " in self.banner and self.banner.endswith("\n\n")) or self.process.poll() is not None
        )
        assert self.process.poll() is None, self.log
        return self

    @property
    def base_url(self) -> str:
        found = re.search(r"^  Base URL +(\S+)$", self.banner, re.MULTILINE)
        assert found, self.banner
        return found[1]

    @property
    def port(self) -> int:
        return int(self.base_url.rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """Stop it if it still runs."""
        if self.process.poll() is None:
            self.stop()
        self._folder.cleanup()
