"""Bounds on a connection: an endless head, a request that never ends, and what is not HTTP."""

import json
import socket
from pathlib import Path

from cli.program import Serving
from nicobar.program import http_limits
from nicobar.program.http_limits import MAXIMUM_HEAD


def exchange(port: int, *chunks: bytes) -> bytes:
    """Send the chunks and return everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        try:
            for chunk in chunks:
                connection.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        try:
            while part := connection.recv(65_536):
                answer += part
        except ConnectionResetError:
            pass
        return answer


def port_of(served: Serving) -> int:
    return int(served.base_url.rpartition(":")[2])


def test_a_head_without_end_is_refused(served: Serving, data: Path) -> None:
    start = b"GET /health HTTP/1.1\r\nHost: x\r\nX: "
    answer = exchange(port_of(served), start, *[b"a" * 16_384] * 8)
    if answer:  # a reset may overtake the answer when more was sent than was read
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 431 ")
        assert json.loads(body) == {
            "code": "INVALID_REQUEST_BODY",
            "message": f"The head exceeds {MAXIMUM_HEAD} bytes.",
        }
    just_fits = start + b"a" * (MAXIMUM_HEAD - 1000) + b"\r\nConnection: close\r\n\r\n"
    assert exchange(port_of(served), just_fits).startswith(b"HTTP/1.1 200 ")


def test_what_is_not_http_gets_the_envelope(served: Serving, data: Path) -> None:
    head, _, body = exchange(port_of(served), b"NONSENSE\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["code"] == "INVALID_REQUEST_BODY"


def test_a_request_has_to_end_in_time() -> None:
    """The deadline itself is tested with a protocol whose clock is ours; waiting half a minute would be a poor test."""

    class Loop:
        def __init__(self) -> None:
            self.later: list[tuple[float, object]] = []

        def call_later(self, delay: float, callback: object) -> "Loop":
            self.later.append((delay, callback))
            return self

        def cancel(self) -> None:
            self.later.pop()

    protocol = http_limits.BoundedProtocol.__new__(http_limits.BoundedProtocol)
    loop = Loop()
    closed: list[bool] = []
    protocol.loop = loop  # type: ignore[assignment]
    protocol.transport = type("Transport", (), {"close": lambda self: closed.append(True)})()
    protocol._arm()
    ((delay, callback),) = loop.later
    assert delay == http_limits.REQUEST_SECONDS
    assert callable(callback)
    callback()
    assert closed == [True]
    protocol._disarm()
    assert loop.later == []
