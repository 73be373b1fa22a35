"""The edge of a real server: what is refused, and that the answer is about what was done."""

import json
from pathlib import Path
from typing import Any

from cli.program import Serving, run
from edge.raw import exchange, statuses
from nicobar.program.http.http_framing import MAXIMUM_HEAD


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


def sent(port: int, key: str, head: bytes, body: bytes = b"") -> tuple[list[int], Any]:
    """Send a request with a key, and return the statuses of its answers and the decoded first one."""
    answer = exchange(port, b"%b\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n%b" % (head, key.encode(), body))
    return statuses(answer), json.loads(answer.partition(b"\r\n\r\n")[2])


def codes(port: int, key: str) -> list[str]:
    """Return the codes of all discounts."""
    found = sent(port, key, b"GET /discounts HTTP/1.1\r\nConnection: close")[1]
    return [discount["code"] for discount in found["items"]]


def test_an_answer_is_about_what_was_done(served: Serving, data: Path) -> None:
    """A stray byte behind a body does not deny what was done, and a body that is cut wrongly does nothing."""
    key = run("keys", "create", "--data", data).stdout.strip()
    body = b'{"amount": 500, "type": "percentage", "code": "STRAY"}'
    found = sent(served.port, key, b"POST /discounts HTTP/1.1\r\nContent-Length: %d" % len(body), body + b"X")
    assert (found[0], found[1]["code"]) == ([200], "STRAY")

    chunks = b"%x\r\n%b\r\n0\r\nTrailer: x\r\n\r\n" % (len(body), body.replace(b"STRAY", b"CHUNK"))
    refused = sent(served.port, key, b"POST /discounts HTTP/1.1\r\nTransfer-Encoding: chunked", chunks)
    assert (refused[0], refused[1]["code"]) == ([400], "INVALID_REQUEST_BODY")
    assert codes(served.port, key) == ["STRAY"]
