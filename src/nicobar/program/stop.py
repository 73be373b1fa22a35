"""Requests to stop: Ctrl-C, SIGTERM, a closed terminal."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self


class Stop:
    """Counts requests to stop instead of breaking off whatever runs.

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
