"""No request within a request: whatever comes, one answer or a closed connection."""

import json
import os
import shutil
import socket
import subprocess
import time

import pytest

from edge.corpus import ALL, CODINGS, HEADS, HIDDEN, LENGTHS, Case, post
from edge.raw import RawServer, exchange, in_pieces, received, statuses

PIECES = tuple(map(int, os.environ.get("NICOBAR_EDGE_PIECES", "100000 7").split()))
"""Sizes of the segments that each case is cut into. `NICOBAR_EDGE_PIECES="1 2 3 5 11 100000"` makes a longer run."""

NOT_BEGUN = LENGTHS + CODINGS + HEADS
"""What is refused before the application hears of it."""


def told(case: Case, server: RawServer) -> None:
    """The application was told of one request at most, and of the one that the case says."""
    paths = [path for _, path, _ in server.app.seen]
    assert "/smuggled" not in paths
    assert [body for _, _, body in server.app.seen] == ([case.body] if case.statuses == (200,) else [])


@pytest.mark.parametrize("size", PIECES)
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_a_case_gets_one_answer(raw_server: RawServer, case: Case, size: int) -> None:
    if len(case.raw) // size > 4000:
        size = 4096
    answer = exchange(raw_server.port, *in_pieces(case.raw, size), pause=0.0)
    assert statuses(answer) == list(case.statuses)
    told(case, raw_server)
    if case in NOT_BEGUN:
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"\r\nx-should-retry: false\r\n" in head
        assert b"\r\nconnection: close" in head
        assert json.loads(body)["code"] == "INVALID_REQUEST_BODY"


@pytest.mark.parametrize("stray", [b"X", b"\x00", HIDDEN, b"0\r\n\r\n" + HIDDEN, b"\r\n\r\n"])
def test_bytes_after_an_answer_never_get_a_second_one_unless_they_are_a_request(
    raw_server: RawServer, stray: bytes
) -> None:
    request = b"POST /outer HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    with socket.create_connection(("127.0.0.1", raw_server.port), timeout=2) as connection:
        connection.sendall(request)
        first = connection.recv(65_536)
        connection.sendall(stray)
        connection.shutdown(socket.SHUT_WR)
        rest = received(connection)
    assert statuses(first) == [200]
    assert statuses(rest) == ([200] if stray == HIDDEN else [])


def test_one_request_follows_another_on_a_connection(raw_server: RawServer) -> None:
    with socket.create_connection(("127.0.0.1", raw_server.port), timeout=2) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(50):
            body = b"%d" % number
            if number % 2:
                connection.sendall(
                    b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (number, len(body), body)
                )
            else:
                connection.sendall(b"POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" % number)
                connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
            answer = connection.recv(65_536)
            while not answer.endswith(b"}"):
                answer += connection.recv(65_536)
            assert b"connection: close" not in answer
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["body"] == body.decode()
    assert len(raw_server.app.seen) == 50


def test_a_client_that_waits_for_leave_gets_it_once(raw_server: RawServer) -> None:
    with socket.create_connection(("127.0.0.1", raw_server.port), timeout=5) as connection:
        connection.sendall(post(b"Expect: 100-continue\r\nContent-Length: 5\r\n"))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hello")
        assert statuses(received(connection)) == [200]


def test_an_answer_before_the_body_ends_the_connection(raw_server: RawServer) -> None:
    """Whether the client then sends the body or leaves it out, nobody can know."""
    with socket.create_connection(("127.0.0.1", raw_server.port), timeout=5) as connection:
        connection.sendall(b"POST /unread HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        head = connection.recv(65_536)
        assert b"\r\nconnection: close\r\n" in head
        connection.sendall(HIDDEN)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(received(connection)) == []
    assert [path for _, path, _ in raw_server.app.seen] == ["/unread"]


def test_a_large_body_that_is_not_wanted_does_not_lose_the_answer(raw_server: RawServer) -> None:
    with socket.create_connection(("127.0.0.1", raw_server.port), timeout=10) as connection:
        connection.sendall(b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n")
        for _ in range(40):
            connection.sendall(b"x" * 100_000)
        time.sleep(0.05)
        assert statuses(received(connection)) == [200]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_that_offers_http_2_is_answered(raw_server: RawServer) -> None:
    """It sends `Upgrade: h2c` with a POST, as Java's own client does."""
    url = f"http://127.0.0.1:{raw_server.port}/outer"
    done = subprocess.run(
        [
            "curl",
            "--silent",
            "--http2",
            "--data",
            "first",
            url,
            "--next",
            "--silent",
            "--http2",
            "--data",
            "second",
            url,
        ],
        capture_output=True,
        timeout=20,
        check=True,
    )
    assert raw_server.app.seen == [("POST", "/outer", b"first"), ("POST", "/outer", b"second")]
    assert done.stdout.count(b'"path": "/outer"') == 2
