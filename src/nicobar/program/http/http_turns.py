"""Whose bytes are read next, when many clients bring more than the server can read at once.

An event loop reads whatever has come on every connection before it goes on with anything else. A thousand clients that
send without end would make each of its turns last tens of milliseconds, and a payment takes several. So a connection
whose request goes on after its first pieces, or that is only being drained, waits in a line, and each turn of the loop
reads a few of those in it. A request that comes whole at once, as those of shops and buyers do, never waits.
"""

import asyncio
from collections import deque
from typing import Final, Protocol

AT_A_TURN: Final = 8
"""How many connections of the line are read in one turn of the event loop."""

REST_SECONDS: Final = 0.005
"""How long the line rests when more are in it. What it takes of the processor is bounded by that, whoever sends what;
up to 1,600 reads a second, of 250 KB at most, still fill a network of a gigabit."""


class Waiting(Protocol):
    """What waits to be read."""

    loop: asyncio.AbstractEventLoop

    def take_turn(self) -> None:
        """Read once, if there is still something to read."""


class ReadingTurns:
    """The line of connections that wait to be read."""

    def __init__(self) -> None:
        self._line: deque[Waiting] = deque()
        self._is_called = False

    def line_up(self, connection: Waiting) -> None:
        """Call the connection's `take_turn` after those of all that came before it."""
        self._line.append(connection)
        if not self._is_called:
            self._is_called = True
            connection.loop.call_soon(self._call, connection.loop)

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        called = [self._line.popleft() for _ in range(min(AT_A_TURN, len(self._line)))]
        self._is_called = bool(self._line)
        if self._is_called:
            loop.call_later(REST_SECONDS, self._call, loop)
        for connection in called:
            connection.take_turn()
