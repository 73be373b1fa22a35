"""The edge of a real server: what is refused, and that the answer is about what was done."""

import json
from pathlib import Path

from cli.program import Serving, run
from edge.raw import exchange, statuses
from nicobar.program.http_framing import MAXIMUM_HEAD


def test_a_head_without_end_is_refused(served: Serving, data: Path) -> None:
    start = b"GET /health HTTP/1.1\r\nHost: x\r\nX: "
    answer = exchange(served.port, start, *[b"a" * 4096] * 40)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert json.loads(body) == {
        "code": "INVALID_REQUEST_BODY",
        "message": f"The head exceeds {MAXIMUM_HEAD} bytes.",
    }
    end = b"\r\nConnection: close\r\n\r\n"
    room = MAXIMUM_HEAD - len(start) - len(end)
    assert statuses(exchange(served.port, start + b"a" * room + end)) == [200]
    assert statuses(exchange(served.port, start + b"a" * (room + 1) + end)) == [431]


def test_what_is_not_http_gets_the_envelope(served: Serving, data: Path) -> None:
    head, _, body = exchange(served.port, b"NONSENSE\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["code"] == "INVALID_REQUEST_BODY"


def test_a_stray_byte_does_not_deny_what_was_done(served: Serving, data: Path) -> None:
    key = run("keys", "create", "--data", data).stdout.strip().encode()
    body = b'{"email": "stray@example.com", "name": "Stray"}'
    head = b"POST /customers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n"
    answer = exchange(served.port, head % (key, len(body)) + body + b"X")
    assert statuses(answer) == [200]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["email"] == "stray@example.com"
    listing = b"GET /customers?email=stray%%40example.com HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n"
    found = exchange(served.port, listing % key + b"Connection: close\r\n\r\n")
    assert len(json.loads(found.partition(b"\r\n\r\n")[2])["items"]) == 1


def test_a_body_that_is_cut_wrongly_changes_nothing(served: Serving, data: Path) -> None:
    key = run("keys", "create", "--data", data).stdout.strip().encode()
    body = b'{"email": "broken@example.com", "name": "Broken"}'
    head = (
        b"POST /customers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nTransfer-Encoding: chunked\r\n\r\n" % key
    )
    answer = exchange(served.port, head + b"%x\r\n%b\r\n0\r\nTrailer: x\r\n\r\n" % (len(body), body))
    assert statuses(answer) == [400]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "INVALID_REQUEST_BODY"
    listing = b"GET /customers?email=broken%%40example.com HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n"
    found = exchange(served.port, listing % key + b"Connection: close\r\n\r\n")
    assert json.loads(found.partition(b"\r\n\r\n")[2])["items"] == []
