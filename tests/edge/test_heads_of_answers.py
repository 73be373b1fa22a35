"""The head of an answer: what the application says, once, and nothing that only looks like a header."""

import re

import pytest

from edge.raw import RawServer, exchange

OK = b"HTTP/1.1 200 OK\r\n"


def told(server: RawServer, headers: list[tuple[bytes, bytes]], *parts: bytes, method: bytes = b"GET") -> bytes:
    """Return the answer of these headers and of a body in these parts, the date left out."""
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    bodies = [{"type": "http.response.body", "body": part, "more_body": True} for part in parts]
    server.app.told = [start, *bodies[:-1], bodies[-1] | {"more_body": False}]
    answer = exchange(server.port, method + b" /told HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    date = rb"date: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n"
    shown, dates = re.subn(date, b"", answer)
    assert dates == 1
    return shown


def test_an_answer_has_its_headers_and_a_date_and_does_not_say_what_serves(raw_server: RawServer) -> None:
    headers = [(b"content-length", b"5"), (b"x-name", "R\xe9my\t1".encode("latin-1"))]
    whole = OK + b"content-length: 5\r\nx-name: R\xe9my\t1\r\nconnection: close\r\n\r\n"
    assert told(raw_server, headers, b"hello") == whole + b"hello"
    assert told(raw_server, headers, b"he", b"llo") == whole + b"hello"
    assert told(raw_server, headers, b"hello", method=b"HEAD") == whole


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ([], b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        ([(b"Content-Length", b"5")], b"content-length: 5\r\nconnection: close\r\n\r\nhello"),
        (
            [(b"content-length", b"5"), (b"connection", b"close")],
            b"content-length: 5\r\nconnection: close\r\n\r\nhello",
        ),
    ],
)
def test_an_answer_without_a_length_or_with_a_framing_of_its_own_is_framed(
    raw_server: RawServer, headers: list[tuple[bytes, bytes]], shown: bytes
) -> None:
    assert told(raw_server, headers, b"hello") == OK + shown


@pytest.mark.parametrize(
    "header",
    [
        (b"x-name", b"1\r\nset-cookie: a=b"),
        (b"x-name", b"1\nset-cookie: a=b"),
        (b"x-name", b"1\r"),
        (b"x-name\r\nset-cookie", b"a=b"),
        (b"x name", b"1"),
        (b"x-name", b"\x00"),
        (b"x-name", b"1\x7f"),
    ],
)
def test_what_would_be_another_header_is_sent_to_nobody(raw_server: RawServer, header: tuple[bytes, bytes]) -> None:
    headers = [(b"content-length", b"5"), header]
    raw_server.app.told = [
        {"type": "http.response.start", "status": 200, "headers": headers},
        {"type": "http.response.body", "body": b"hello"},
    ]
    assert exchange(raw_server.port, b"GET /told HTTP/1.1\r\nHost: a\r\n\r\n") == b""
