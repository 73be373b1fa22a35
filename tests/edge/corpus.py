"""Requests on which parsers disagree, and requests that only look like them.

Each attack carries a second request, for `/smuggled`, where one of the readings would see it.
"""

from typing import NamedTuple

HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


class Case(NamedTuple):
    name: str
    raw: bytes
    statuses: tuple[int, ...] = (400,)
    """The statuses of the answers, all of which may come on this connection."""
    body: bytes = b""
    """What the application is told, when it is told anything."""


def post(headers: bytes, body: bytes = b"", target: bytes = b"/outer", version: bytes = b"1.1") -> bytes:
    return b"POST %b HTTP/%b\r\nHost: a\r\n%bConnection: close\r\n\r\n%b" % (target, version, headers, body)


def head(raw: bytes) -> bytes:
    return raw + b"\r\nHost: a\r\nConnection: close\r\n\r\n" + HIDDEN


_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_LENGTH = b"Content-Length: %d\r\n" % len(HIDDEN)
_ONE_CHUNK = b"5\r\nhello\r\n"

LENGTHS = [
    Case("two lengths", post(b"Content-Length: 0\r\n" + _LENGTH, HIDDEN)),
    Case("the same length twice", post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello")),
    Case("a list of lengths", post(b"Content-Length: 5, 5\r\n", b"hello")),
    Case("a length with a sign", post(b"Content-Length: +5\r\n", b"hello")),
    Case("a negative length", post(b"Content-Length: -1\r\n", HIDDEN)),
    Case("a hexadecimal length", post(b"Content-Length: 0x5\r\n", b"hello")),
    Case("a length with an underscore", post(b"Content-Length: 1_0\r\n", HIDDEN)),
    Case("an empty length", post(b"Content-Length: \r\n", HIDDEN)),
    Case("a length with a fraction", post(b"Content-Length: 5.0\r\n", b"hello")),
    Case("a length beyond 64 bits", post(b"Content-Length: 18446744073709551621\r\n", b"hello")),
    Case("a length of other digits", post(b"Content-Length: \xb9\r\n", b"h" + HIDDEN)),
    Case("a length in quotes", post(b'Content-Length: "5"\r\n', b"hello")),
]

CODINGS = [
    Case("chunks and a length", post(_CHUNKED + _LENGTH, b"0\r\n\r\n" + HIDDEN)),
    Case("a length and chunks", post(_LENGTH + _CHUNKED, b"0\r\n\r\n" + HIDDEN)),
    Case("chunks twice", post(_CHUNKED + _CHUNKED, b"0\r\n\r\n" + HIDDEN)),
    Case("chunked, chunked", post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n" + HIDDEN)),
    Case("identity", post(b"Transfer-Encoding: identity\r\n", HIDDEN)),
    Case("identity, chunked", post(b"Transfer-Encoding: identity, chunked\r\n", b"0\r\n\r\n" + HIDDEN)),
    Case("gzip, chunked", post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n" + HIDDEN)),
    Case("chunked, identity", post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + HIDDEN)),
    Case("chunked in quotes", post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n" + HIDDEN)),
    Case("xchunked", post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + HIDDEN)),
    Case("chunked and a parameter", post(b"Transfer-Encoding: chunked;q=1\r\n", b"0\r\n\r\n" + HIDDEN)),
    Case("chunked in capitals", post(b"Transfer-Encoding: CHUNKED\r\n", b"0\r\n\r\n" + HIDDEN)),
    Case("chunked after a vertical tab", post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n" + HIDDEN)),
    Case("an empty coding", post(b"Transfer-Encoding:\r\n" + _LENGTH, HIDDEN)),
    Case("chunks in HTTP/1.0", post(_CHUNKED, b"0\r\n\r\n" + HIDDEN, version=b"1.0")),
]

CHUNKS = [
    Case("an extension", post(_CHUNKED, b"5;a=b\r\nhello\r\n0\r\n\r\n")),
    Case("an extension with a line feed", post(_CHUNKED, b"2;\nxx\r\n0\r\n\r\n" + HIDDEN)),
    Case("an extension of the last chunk", post(_CHUNKED, _ONE_CHUNK + b"0;a\r\n\r\n")),
    Case("a trailer", post(_CHUNKED, _ONE_CHUNK + b"0\r\nX: y\r\n\r\n")),
    Case("a trailer with a length", post(_CHUNKED, _ONE_CHUNK + b"0\r\nContent-Length: 5\r\n\r\n")),
    Case("a size with a sign", post(_CHUNKED, b"+5\r\nhello\r\n0\r\n\r\n")),
    Case("a negative size", post(_CHUNKED, b"-1\r\nhello\r\n0\r\n\r\n")),
    Case("a size with 0x", post(_CHUNKED, b"0x5\r\nhello\r\n0\r\n\r\n")),
    Case("a size with an underscore", post(_CHUNKED, b"0_5\r\nhello\r\n0\r\n\r\n")),
    Case("a size with a blank before", post(_CHUNKED, b" 5\r\nhello\r\n0\r\n\r\n")),
    Case("a size with a blank behind", post(_CHUNKED, b"5 \r\nhello\r\n0\r\n\r\n")),
    Case("a size with a tab behind", post(_CHUNKED, b"5\t\r\nhello\r\n0\r\n\r\n")),
    Case("an empty size", post(_CHUNKED, b"\r\nhello\r\n0\r\n\r\n")),
    Case("a size beyond 32 bits", post(_CHUNKED, b"100000005\r\nhello\r\n0\r\n\r\n")),
    Case("a size that ends in a line feed", post(_CHUNKED, b"5\nhello\r\n0\r\n\r\n")),
    Case("a size that ends in a carriage return", post(_CHUNKED, b"5\rhello\r\n0\r\n\r\n")),
    Case("content that ends in a line feed", post(_CHUNKED, b"5\r\nhello\n0\r\n\r\n" + HIDDEN)),
    Case("content longer than its size", post(_CHUNKED, b"5\r\nhello!\r\n0\r\n\r\n")),
    Case("an end that is two line feeds", post(_CHUNKED, _ONE_CHUNK + b"0\n\n" + HIDDEN)),
    Case("an end without its empty line", post(_CHUNKED, _ONE_CHUNK + b"0\r\n" + HIDDEN)),
    Case("too many chunks", post(_CHUNKED, b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n")),
]

HEADS = [
    Case("bare line feeds", b"GET /outer HTTP/1.1\nHost: a\n\n" + HIDDEN),
    Case("one bare line feed", b"GET /outer HTTP/1.1\r\nHost: a\nX: y\r\n\r\n" + HIDDEN),
    Case("a bare carriage return", b"GET /outer HTTP/1.1\r\nHost: a\r\nX: y\rContent-Length: 36\r\n\r\n" + HIDDEN),
    Case("a head that ends in a line feed", b"GET /outer HTTP/1.1\r\nHost: a\r\n\n" + HIDDEN),
    Case("a folded header", post(b"X: y\r\n Content-Length: 36\r\n", HIDDEN)),
    Case("a folded coding", post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n" + HIDDEN)),
    Case("a blank before the first header", b"GET /outer HTTP/1.1\r\n Host: a\r\n\r\n" + HIDDEN),
    Case("a blank before a colon", post(b"Content-Length : 36\r\n", HIDDEN)),
    Case("a tab before a colon", post(b"Transfer-Encoding\t: chunked\r\n", b"0\r\n\r\n" + HIDDEN)),
    Case("a header without a colon", post(b"Content-Length\r\n", HIDDEN)),
    Case("a header without a name", post(b": 36\r\n", HIDDEN)),
    Case("a name with a null", post(b"Content\x00-Length: 36\r\n", HIDDEN)),
    Case("a name with a high byte", post(b"\xffContent-Length: 36\r\n", HIDDEN)),
    Case("a name in brackets", post(b"Content[Length]: 36\r\n", HIDDEN)),
    Case("a value with a null", post(b"X: a\x00b\r\n", HIDDEN)),
    Case("a value with a delete", post(b"X: a\x7fb\r\n", HIDDEN)),
    Case("a value with an escape", post(b"X: \x1b[2J\r\n", HIDDEN)),
    Case("no host", b"GET /outer HTTP/1.1\r\n\r\n" + HIDDEN),
    Case("two hosts", b"GET /outer HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + HIDDEN),
    Case("a list of hosts", b"GET /outer HTTP/1.1\r\nHost: a, b\r\n\r\n" + HIDDEN),
    Case("a host with a path", b"GET /outer HTTP/1.1\r\nHost: a/b\r\n\r\n" + HIDDEN),
    Case("a host with a user", b"GET /outer HTTP/1.1\r\nHost: a@b\r\n\r\n" + HIDDEN),
    Case("an absolute target", head(b"GET http://b/outer HTTP/1.1")),
    Case("a target without a slash", head(b"GET outer HTTP/1.1")),
    Case("a target of an asterisk", head(b"OPTIONS * HTTP/1.1")),
    Case("a target with a fragment", head(b"GET /outer#x HTTP/1.1")),
    Case("a target with a high byte", head(b"GET /out\xc3\xa9r HTTP/1.1")),
    Case("a target with a null", head(b"GET /out\x00er HTTP/1.1")),
    Case("two blanks before the target", head(b"GET  /outer HTTP/1.1")),
    Case("a tab before the target", head(b"GET\t/outer HTTP/1.1")),
    Case("a blank in the target", head(b"GET /out er HTTP/1.1")),
    Case("a blank after the version", head(b"GET /outer HTTP/1.1 ")),
    Case("HTTP/0.9", b"GET /outer\r\n\r\n" + HIDDEN),
    Case("HTTP/1.2", head(b"GET /outer HTTP/1.2")),
    Case("HTTP/2.0 in words", head(b"GET /outer HTTP/2.0")),
    Case("a version in small letters", head(b"GET /outer http/1.1")),
    Case("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Case("a method in small letters", head(b"get /outer HTTP/1.1")),
    Case("a method that nobody knows", head(b"SMUGGLE /outer HTTP/1.1")),
    Case("CONNECT", b"CONNECT /outer HTTP/1.1\r\nHost: a\r\n\r\n" + HIDDEN),
    Case("CONNECT to a host", b"CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n" + HIDDEN),
    Case("two empty lines first", b"\r\n\r\n" + post(_LENGTH, HIDDEN)),
    Case("a line feed first", b"\n" + post(_LENGTH, HIDDEN)),
    Case("the hello of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    Case("a head that is too long", b"GET /outer HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 17_000 + b"\r\n\r\n", (431,)),
    Case("too many headers", b"GET /outer HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100 + b"\r\n", (431,)),
]

SWITCHING = [
    Case(
        f"{name} with a request as its body",
        b"POST /outer HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\nConnection: close\r\n\r\n%b"
        % (offer, len(HIDDEN), HIDDEN),
        (200,),
        HIDDEN,
    )
    for name, offer in {
        "an upgrade to h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        "an upgrade to a WebSocket": b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        "an upgrade to TLS": b"Upgrade: TLS/1.0\r\nConnection: Upgrade\r\n",
        "an upgrade without a name": b"Upgrade:\r\nConnection: upgrade\r\n",
        "an upgrade without a connection": b"Upgrade: h2c\r\n",
        "a connection without an upgrade": b"Connection: upgrade\r\n",
        "an upgrade through a proxy's connection": b"Proxy-Connection: upgrade\r\nUpgrade: h2c\r\n",
        "two upgrades": b"Upgrade: h2c\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n",
    }.items()
] + [
    Case(
        "an upgrade with chunks",
        post(b"Upgrade: h2c\r\nConnection: upgrade\r\n" + _CHUNKED, _ONE_CHUNK + b"0\r\n\r\n"),
        (200,),
        b"hello",
    ),
    Case("an upgrade and a second request", post(b"Upgrade: h2c\r\nConnection: upgrade\r\n", HIDDEN), (200,)),
]

SERVED = [
    Case("a length", post(_LENGTH, HIDDEN), (200,), HIDDEN),
    Case("no body", post(b""), (200,)),
    Case("an empty body", post(b"Content-Length: 0\r\n"), (200,)),
    Case("a length with zeros before it", post(b"Content-Length: 0005\r\n", b"hello"), (200,), b"hello"),
    Case("blanks around a length", post(b"Content-Length: \t 5 \r\n", b"hello"), (200,), b"hello"),
    Case("chunks", post(_CHUNKED, _ONE_CHUNK + b"00006\r\n world\r\n0\r\n\r\n"), (200,), b"hello world"),
    Case("a request within a chunk", post(_CHUNKED, b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)), (200,), HIDDEN),
    Case("no chunk", post(_CHUNKED, b"000\r\n\r\n"), (200,)),
    Case("an empty line first", b"\r\n" + post(_LENGTH, HIDDEN), (200,), HIDDEN),
    Case("an empty line behind", post(b"Content-Length: 5\r\n", b"hello\r\n"), (200,), b"hello"),
    Case("a stray byte behind", post(b"Content-Length: 5\r\n", b"helloX"), (200,), b"hello"),
    Case("a null behind", post(b"Content-Length: 5\r\n", b"hello\x00"), (200,), b"hello"),
    Case("a second request behind", post(b"Content-Length: 5\r\n", b"hello" + HIDDEN), (200,), b"hello"),
    Case("a stray byte behind chunks", post(_CHUNKED, _ONE_CHUNK + b"0\r\n\r\nX"), (200,), b"hello"),
    Case("a body with GET", b"GET /outer HTTP/1.1\r\nHost: a\r\n" + _LENGTH + b"\r\n" + HIDDEN + b"X", (200,), HIDDEN),
    Case("leave to continue", post(b"Expect: 100-continue\r\nContent-Length: 5\r\n", b"hello"), (200,), b"hello"),
    Case("another expectation", post(b"Expect: wonders\r\nContent-Length: 5\r\n", b"hello"), (200,), b"hello"),
    Case("HTTP/1.0", b"POST /outer HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello" + HIDDEN, (200,), b"hello"),
    Case("a value in Latin", post(b"X: caf\xe9\r\nContent-Length: 5\r\n", b"hello"), (200,), b"hello"),
    Case("a body that nobody reads", post(_LENGTH, HIDDEN, b"/unread"), (200,)),
    Case("wrong chunks that nobody reads", post(_CHUNKED, b"5;a\r\nhello\r\n" + HIDDEN, b"/unread"), (200,)),
    Case(
        "a request behind one that takes long", post(b"Content-Length: 2\r\n", b"hi" + HIDDEN, b"/slow"), (200,), b"hi"
    ),
]

ALL = LENGTHS + CODINGS + CHUNKS + HEADS + SWITCHING + SERVED
