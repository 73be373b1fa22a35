"""Requests put together from what parsers read differently, by the thousand: never two answers to one."""

import random
import socket
from typing import Final

from edge.corpus import ALL, HIDDEN
from edge.raw import RawServer, received, statuses

CASES: Final = 5000
SEED: Final = 20_261_129

TARGETS: Final = (
    *(b"/outer", b"/unread", b"/", b"//outer"),
    *(b"http://b/outer", b"*", b"/out er", b"/outer#x", b""),
)
METHODS: Final = (b"POST", b"GET", b"PUT", b"DELETE", b"OPTIONS", b"HEAD", b"CONNECT", b"post", b"PO ST", b"PRI")
VERSIONS: Final = (*[b"HTTP/1.1"] * 6, b"HTTP/1.0", b"HTTP/1.2", b"http/1.1", b"HTTP/2.0", b"")
ENDS: Final = (*[b"\r\n"] * 12, b"\n", b"\r", b"\r\r\n", b"\x0b", b"\x0c\r\n", b"\xc2\x85")
NAMES: Final = (
    *(b"Content-Length", b"Transfer-Encoding", b"content-length", b"TRANSFER-ENCODING", b"Content_Length"),
    *(b"Content-Length ", b" Transfer-Encoding", b"Transfer-Encoding\t", b"X", b"Trailer", b"TE", b"Expect"),
    *(b"Upgrade", b"Connection", b"Host", b"X\x00", b"\xff", b""),
)
VALUES: Final = (
    *(b"chunked", b"5", b"0", b"36", b"identity", b"chunked, identity", b"gzip, chunked", b"\x0bchunked"),
    *(b"chunked\x00", b"xchunked", b"5, 5", b"+5", b"0x5", b"-1", b"5 5", b"999999999999999999999", b"h2c"),
    *(b"upgrade", b"close", b"keep-alive", b"100-continue", b"a", b"", b"\r\n folded", b"\r\n\tchunked", b'"5"'),
)
BODIES: Final = (
    *(b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"5;x=y\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"0\r\n\r\n"),
    *(b"0\r\nX: y\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"fffffffffffffffff\r\n"),
    *(b"5 \r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\n", b"00\r\n\r\n", HIDDEN),
)
ODD: Final = (b"\r", b"\n", b"\x00", b" ", b"\t", b":", b"\x80", b"0", b";", b",")
"""What is put between two bytes."""


def built(chance: random.Random) -> bytes:
    """Return a request put together from parts."""
    end = chance.choice(ENDS) if chance.random() < 0.3 else b"\r\n"
    asked = (chance.choice(METHODS[:2] * 4 + METHODS), chance.choice(TARGETS[:1] * 9 + TARGETS))
    lines = [b"Host: a"] * (chance.random() < 0.95)
    lines += [b"%b: %b" % (chance.choice(NAMES), chance.choice(VALUES)) for _ in range(chance.randrange(4))]
    chance.shuffle(lines)
    head = end.join([b" ".join((*asked, chance.choice(VERSIONS))), *lines])
    return head + end + chance.choice(ENDS) + chance.choice(BODIES)


def drawn(chance: random.Random) -> bytes:
    """Return such a request or one of the corpus, with a few bytes changed in either, and the hidden one behind it."""
    raw = bytearray(chance.choice(ALL).raw[:20_000] if chance.random() < 0.4 else built(chance))
    for _ in range(chance.choice((0, 0, 1, 1, 2, 4))):
        place = chance.randrange(len(raw) + 1)
        match chance.randrange(3):
            case 0:
                raw[place:place] = chance.choice(ODD)
            case 1:
                del raw[place : place + chance.choice((1, 1, 2))]
            case 2 if place < len(raw):
                raw[place] = chance.randrange(256)
    return bytes(raw).replace(b"/slow", b"/outer") + HIDDEN  # or it ends in the middle of the next case


def answered(port: int, raw: bytes, cut: int) -> bytes:
    """Send it in two parts, say that no more comes, and return all that is answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for part in (raw[:cut], raw[cut:]):
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # it has been refused already
            pass
        return received(connection)


def test_no_generated_case_gets_two_answers(raw_server: RawServer) -> None:
    chance = random.Random(SEED)  # noqa: S311 - a run that can be repeated
    served = refused = 0
    for number in range(CASES):
        raw_server.app.seen.clear()
        raw = drawn(chance)
        answer = answered(raw_server.port, raw, chance.randrange(10))
        told, seen = statuses(answer), list(raw_server.app.seen)
        assert len(told) <= 1, (number, raw)
        assert len(seen) <= 1, (number, raw)
        assert not any(path.startswith("/smuggled") for _, path, _ in seen), (number, raw)
        served += told == [200]
        refused += told != [200]
    assert served > CASES // 20 and refused > CASES // 4
