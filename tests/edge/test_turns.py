"""Who brings more than a request takes turns with others of its kind, and whole requests wait for none of them."""

import asyncio
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.server import ServerState

from cli.program import eventually
from edge.corpus import post
from edge.raw import RawServer, Remembering, exchange, in_pieces, statuses
from edge.test_floods import FLOODS
from nicobar.program.http import http_turns
from nicobar.program.http.http_connections import Connections
from nicobar.program.http.http_framing import LINES_AT_ONCE, RequestFraming
from nicobar.program.http.http_limits import LINGER_BUFFER, BoundedProtocol
from nicobar.program.http.http_turns import AT_A_TURN, REST_SECONDS, ReadingTurns
from nicobar.program.server import server_config

ASKED = b"GET /outer HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
TURNS = 300


class Line:
    """A loop that notes when it is to call what, and connections that note that they were called."""

    def __init__(self) -> None:
        self.turns = ReadingTurns()
        self.calls: list[tuple[float, Callable[[], None]]] = []
        self.called: list[int] = []

    def call_soon(self, function: Callable[..., None], *arguments: Any) -> None:
        self.call_later(0.0, function, *arguments)

    def call_later(self, seconds: float, function: Callable[..., None], *arguments: Any) -> None:
        self.calls.append((seconds, lambda: function(*arguments)))

    def line_up(self, *numbers: int) -> None:
        for number in numbers:
            self.turns.line_up(SimpleNamespace(loop=self, take_turn=lambda it=number: self.called.append(it)))

    def turn(self) -> list[float]:
        """Make the calls that are due, and return after how many seconds the next are."""
        due, self.calls = self.calls, []
        for _, call in due:
            call()
        return [seconds for seconds, _ in self.calls]


def test_a_short_line_has_its_turn_at_once() -> None:
    line = Line()
    line.line_up(*range(AT_A_TURN))
    assert [seconds for seconds, _ in line.calls] == [0.0]
    assert line.turn() == []
    assert line.called == list(range(AT_A_TURN))


def test_a_long_line_is_called_in_its_order_and_rests_in_between() -> None:
    line = Line()
    line.line_up(*range(20))
    assert line.turn() == [REST_SECONDS]
    assert line.called == list(range(8))
    line.line_up(20)
    assert line.turn() == [REST_SECONDS]
    assert line.called == list(range(16))
    assert line.turn() == []
    assert line.called == list(range(21))


class Wire(asyncio.Transport):
    """A client's end that always has bytes to bring, and keeps what it was sent."""

    def __init__(self, protocol: BoundedProtocol) -> None:
        address = ("127.0.0.1", 1)
        names = {"getsockname": lambda: address, "getpeername": lambda: address, "setsockopt": lambda *_: None}
        super().__init__({"socket": SimpleNamespace(**names)})
        self.protocol = protocol
        self.reading, self.closing, self.sent = True, False, b""
        protocol.connection_made(self)

    def write(self, data: Any) -> None:
        self.sent += data

    def write_eof(self) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def bring(self, data: bytes) -> int:
        """Let the server read once, if it wants to, and return how often it did."""
        if not data or not self.reading:
            return 0
        self.protocol.data_received(data)
        return 1


def wires(count: int) -> list[Wire]:
    """Return new connections of one server."""
    config = server_config(Remembering(), Connections())
    config.load()
    made: Any = config.http_protocol_class
    return [Wire(made(config=config, server_state=ServerState(), app_state={})) for _ in range(count)]


async def flooded(start: bytes, more: bytes, suspects: int) -> tuple[int, list[int]]:
    """Ask while so many bring more, and return how many turns the answer took, and how many were read in each turn."""
    asking, *pouring = wires(suspects + 1)
    for wire in pouring:
        wire.bring(start)
    for _ in range(5):  # some are refused with the second piece only
        for wire in pouring:
            wire.bring(more)
        await asyncio.sleep(0)
    asking.bring(ASKED)
    reads: list[int] = []
    answered = 0
    for turn in range(1, TURNS + 1):
        reads.append(sum(wire.bring(more) for wire in pouring))
        await asyncio.sleep(0)
        if not answered and statuses(asking.sent):
            answered = turn
    assert statuses(asking.sent) == [200]
    return answered, reads


@pytest.mark.parametrize("name", [name for name, (_, more) in FLOODS.items() if more])
def test_an_answer_takes_as_many_turns_in_a_flood_as_without(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(http_turns, "REST_SECONDS", 0.0)
    start, more = FLOODS[name]
    alone, none = asyncio.run(flooded(start, more[:8_000], 0))
    answered, reads = asyncio.run(flooded(start, more[:8_000], 100))
    assert answered == alone > 0
    assert none == [0] * TURNS
    assert max(reads) == AT_A_TURN
    assert sum(reads) > 100, "everybody had a turn"


def test_what_waits_on_a_connection_that_was_ended_is_not_read() -> None:
    async def ended() -> bytes:
        [wire] = wires(1)
        wire.bring(b"POST /outer HTTP/1.1\r\nHost: a\r\n" + CHUNKED + b"\r\n" + b"1\r\nx\r\n" * 2000)
        wire.closing = True
        for _ in range(50):
            await asyncio.sleep(0)
        assert not wire.reading
        return wire.sent

    assert asyncio.run(ended()) == b""


def test_lines_between_chunks_are_read_a_few_at_a_time() -> None:
    framing = RequestFraming()
    framing.read_head(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    lines = b"1\r\nx\r\n" * LINES_AT_ONCE
    assert framing.read_body(lines) == len(lines) // 2, "two lines a chunk"
    assert framing.read_body(b"0\r\n\r\nX") == 5
    assert framing.complete


@pytest.mark.parametrize("size", [10, 1024, 100_000])
@pytest.mark.parametrize("segment", [700, 300_000])
def test_a_body_that_waits_for_turns_arrives_whole(raw_server: RawServer, size: int, segment: int) -> None:
    body = bytes(range(256)) * 3000
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in in_pieces(body, size)) + b"0\r\n\r\n"
    answer = exchange(raw_server.port, *in_pieces(post(CHUNKED, chunks), segment))
    assert statuses(answer) == [200]
    assert raw_server.app.seen == [("POST", "/outer", body)]


def test_a_connection_that_ends_holds_nothing_and_little_of_the_system(raw_server: RawServer) -> None:
    with socket.create_connection(("127.0.0.1", raw_server.port), timeout=10) as connection:
        connection.sendall(b"GET /outer HTTP/1.1\r\nX: " + b"y" * 200_000)
        assert statuses(connection.recv(65_536)) == [431]
        [left] = raw_server.connections._open
        assert isinstance(left, BoundedProtocol)
        assert (left.held, raw_server.connections._held) == (0, 0)
        kept = left.transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert kept in (LINGER_BUFFER, 2 * LINGER_BUFFER), "Linux doubles what it is told"
        connection.sendall(b"y" * 2_000_000)
    eventually(lambda: not raw_server.connections._open)
