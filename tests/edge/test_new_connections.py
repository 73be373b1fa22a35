"""Those who come together are let in together."""

import asyncio
import socket
from contextlib import ExitStack

import uvloop

from nicobar.program.ports import ACCEPTED_AT_ONCE, accepting


class Turns(asyncio.Protocol):
    """Counts the turns of a loop, and notes in which of them each connection was accepted."""

    def __init__(self) -> None:
        self.accepted_in: list[int] = []
        self.number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.accepted_in.append(self.number)
        transport.close()

    async def go(self, listeners: list[socket.socket], until: int) -> None:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(lambda: self, sock=listener) for listener in listeners]
        while len(self.accepted_in) < until:
            self.number += 1
            assert self.number < 1000
            await asyncio.sleep(0)
        for server in servers:
            server.close()
            await server.wait_closed()


def test_each_turn_accepts_several() -> None:
    turns, callers = Turns(), 5 * ACCEPTED_AT_ONCE
    with ExitStack() as opened, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=callers))
        for _ in range(callers):
            opened.enter_context(socket.create_connection(listener.getsockname()))
        runner.run(turns.go(accepting(listener), callers))
    first = turns.accepted_in[0]
    assert turns.accepted_in == [first + place // ACCEPTED_AT_ONCE for place in range(callers)]
