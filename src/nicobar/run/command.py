"""The command as a process: its signals, its exit status."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Final

_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_FROM_THE_KEYBOARD: Final = (signal.SIGINT, signal.SIGQUIT)

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
"""What shells say of a command that is not there, or cannot be started."""


class CommandError(Exception):
    """The command could not be started; `status` is what a shell would say of it."""

    def __init__(self, command: str, error: OSError) -> None:
        self.status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        super().__init__(f"{command}: {error.strerror}")


async def run_to_its_end(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end with the signals that come meanwhile, and return its status.

    One that ends by a signal has 128 and its number, as in a shell. Raises CommandError.
    """
    loop = asyncio.get_running_loop()
    heard: list[signal.Signals] = []
    process: asyncio.subprocess.Process | None = None

    def pass_on(number: signal.Signals) -> None:
        if process is None:
            heard.append(number)
        elif process.returncode is None and not (number in _FROM_THE_KEYBOARD and _is_in_the_foreground()):
            process.send_signal(number)

    # What is ignored (`nohup`, `&`) stays so, and the command inherits that.
    taken = [number for number in _PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.getsignal(number) for number in taken}
    for number in taken:
        loop.add_signal_handler(number, pass_on, number)
    try:
        try:
            process = await asyncio.create_subprocess_exec(*command, env=environment)
        except OSError as error:
            raise CommandError(command[0], error) from error
        for number in heard:
            process.send_signal(number)
        status = await process.wait()
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
            signal.signal(number, before[number])
    return status if status >= 0 else 128 - status


def _is_in_the_foreground() -> bool:
    """Return whether a key of the terminal reaches the command without us: it goes to all of the foreground."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)
