"""Where a request begins and where it ends: the strict subset of HTTP/1.1 on which no two parsers disagree.

A server behind a proxy reads a stream that strangers and merchants share. If the two ever see the end of a request in
different places, a stranger's bytes become the beginning of somebody else's request. So everything that parsers are
known to read differently is refused here, before the parser sees it: line ends other than CRLF, folded lines, blanks
before a colon, more than one length, a length together with chunks, codings other than `chunked`, chunk extensions,
trailers, absolute targets, more than one host. The rules are those of RFC 9112 with every "may be lenient" answered by
no.

A head is kept until it is whole, so its bound holds however it is cut into segments; the body is passed on as it comes.
"""

import re
from enum import Enum
from typing import Final

MAXIMUM_HEAD: Final = 16 * 1024
"""Bytes of request line and headers together. A key, an id and a cookie need less than 1 KiB."""

MAXIMUM_HEADERS: Final = 100

CHUNK_OVERHEAD: Final = 4 * 1024
"""How many bytes the framing of chunks may have more than their content: a flood of tiny chunks costs time."""

LINES_AT_ONCE: Final = 128
"""How many lines between chunks are read in one go. Each costs time, however little it says."""

_HEAD: Final = re.compile(
    rb"(?P<method>[A-Z]{1,20}) /[!\"$-~]*(?P<version> HTTP/1\.[01])\r\n"
    rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)*\r\n"
)
"""A whole head: a target of visible ASCII that starts with a slash and has no fragment, names that are tokens up to
their colon, values without control characters."""

_FRAMING: Final = re.compile(
    rb"\r\n(content-length|transfer-encoding|connection|proxy-connection|upgrade|host):[\t ]*([^\r]*?)[\t ]*(?=\r\n)",
    re.IGNORECASE,
)
"""The headers that decide where a request ends, what becomes of the connection, and for whom it is."""

_SWITCHING: Final = re.compile(
    rb"\r\n(?:upgrade|http2-settings|connection|proxy-connection):[^\r]*(?=\r\n)", re.IGNORECASE
)
"""What a client sends that offers another protocol."""

_LENGTH: Final = re.compile(rb"[0-9]{1,15}")
_HOST: Final = re.compile(rb"[0-9A-Za-z.:_~%\[\]-]*")
_CHUNK_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,8}")
_CHUNK_SIZE_SO_FAR: Final = re.compile(rb"[0-9A-Fa-f]{0,8}\r?")
_NOT_OF_A_HEAD: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\x00|\A[^A-Z\r]|\A\r\n")
"""What shows before its end that a head will be refused."""


class FramingError(Exception):
    """A request that cannot be read in one way only."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class _Part(Enum):
    HEAD = 1
    BODY = 2
    CHUNK_SIZE = 3
    CHUNK = 4
    CHUNK_END = 5
    LAST_CHUNK_END = 6
    COMPLETE = 7


class RequestFraming:
    """Follows one request through the bytes of a connection, in whatever segments they come."""

    def __init__(self) -> None:
        self._part = _Part.HEAD
        self._held = b""
        """Bytes of a line, or of a head, that is not whole yet."""
        self._passed_over = False
        """Whether an empty line came before the head."""
        self._left = 0
        """Bytes that the body, or the present chunk, still has."""
        self._content = 0
        self._overhead = 0

    @property
    def begun(self) -> bool:
        """Return whether anything of the request has come."""
        return self._part is not _Part.HEAD or bool(self._held)

    @property
    def in_body(self) -> bool:
        """Return whether the head has come and the body has not come to its end."""
        return self._part is not _Part.HEAD and self._part is not _Part.COMPLETE

    @property
    def complete(self) -> bool:
        """Return whether the whole request has come."""
        return self._part is _Part.COMPLETE

    def read_head(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Return the head and what follows it, or None when the head is not whole yet.

        The head is what the parser may see: the offer of another protocol is taken out of it, because this server
        speaks one, and a parser that believes such an offer no longer reads the body as one. Raises FramingError.
        """
        before = len(self._held)
        held = self._held + data if before else data
        if not self._passed_over and held.startswith(b"\r\n"):
            # RFC 9112 section 2.2: an empty line, which old clients send after a body, is passed over.
            self._passed_over, held, before = True, held[2:], 0
        end = held.find(b"\r\n\r\n", max(0, before - 3)) + 4
        if end == 3:
            if len(held) > MAXIMUM_HEAD:
                raise FramingError(f"The head exceeds {MAXIMUM_HEAD} bytes.", 431)
            if _NOT_OF_A_HEAD.search(held, max(0, before - 1)):
                raise FramingError("This is not HTTP/1.1.")
            self._held = held
            return None
        if end > MAXIMUM_HEAD:
            raise FramingError(f"The head exceeds {MAXIMUM_HEAD} bytes.", 431)
        self._held = b""
        return self._checked(held[:end]), held[end:]

    def _checked(self, head: bytes) -> bytes:
        """Return the head as the parser may see it, and know from here on where the body ends."""
        found = _HEAD.fullmatch(head)
        if found is None:
            raise FramingError("The request line or a header is not valid HTTP/1.1.")
        if found["method"] == b"CONNECT":
            raise FramingError("This server is no proxy.")
        if head.count(b"\r\n") - 2 > MAXIMUM_HEADERS:
            raise FramingError(f"The request has more than {MAXIMUM_HEADERS} headers.", 431)
        headers: dict[bytes, list[bytes]] = {}
        for name, value in _FRAMING.findall(head):
            headers.setdefault(name.lower(), []).append(value)
        first_version = found["version"] == b" HTTP/1.0"
        hosts = headers.get(b"host", [])
        if len(hosts) > 1 or (not hosts and not first_version) or not all(map(_HOST.fullmatch, hosts)):
            raise FramingError("A request has one Host header, which names a host.")
        self._find_end(headers.get(b"content-length", []), headers.get(b"transfer-encoding", []), first_version)
        return _without_offers(head, headers)

    def _find_end(self, lengths: list[bytes], codings: list[bytes], first_version: bool) -> None:
        if codings:
            if lengths or first_version or codings != [b"chunked"]:
                raise FramingError("Transfer-Encoding is `chunked`, once, in HTTP/1.1, and without Content-Length.")
            self._part = _Part.CHUNK_SIZE
            return
        if len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
            raise FramingError("Content-Length is one whole number.")
        self._left = int(lengths[0]) if lengths else 0
        self._part = _Part.BODY if self._left else _Part.COMPLETE

    def read_body(self, data: bytes) -> int:
        """Return how many of the bytes have been read as this request's. Raises FramingError.

        Those that are left belong to nobody if it is complete, and else are to be read later: many lines take long.
        """
        position, lines = 0, 0
        while position < len(data) and self._part is not _Part.COMPLETE and lines < LINES_AT_ONCE:
            if self._part is _Part.BODY or self._part is _Part.CHUNK:
                taken = min(self._left, len(data) - position)
                self._left -= taken
                position += taken
                if self._left == 0:
                    self._part = _Part.COMPLETE if self._part is _Part.BODY else _Part.CHUNK_END
            else:
                position += self._read_line(data, position)
                lines += 1
        return position

    def _read_line(self, data: bytes, position: int) -> int:
        """Read on in the line before or after a chunk, and return how many bytes it took."""
        before = len(self._held)
        line = self._held + data[position : position + 11]
        end = line.find(b"\r\n")
        if end < 0:
            size = self._part is _Part.CHUNK_SIZE
            if not (_CHUNK_SIZE_SO_FAR.fullmatch(line) if size else b"\r".startswith(line)):
                raise FramingError("The body is not cut into chunks as HTTP/1.1 wants it.")
            self._held = line
            return len(line) - before
        line, self._held = line[:end], b""
        self._overhead += end + 2
        if self._overhead > self._content + CHUNK_OVERHEAD:
            raise FramingError("The body is cut into too many chunks.")
        if self._part is _Part.CHUNK_SIZE:
            self._begin_chunk(line)
        else:
            self._end_chunk(line)
        return end + 2 - before

    def _begin_chunk(self, line: bytes) -> None:
        """Take a size: hexadecimal digits and nothing else, so neither a sign nor an extension."""
        if _CHUNK_SIZE.fullmatch(line) is None:
            raise FramingError("The size of a chunk is a hexadecimal number without an extension.")
        self._left = int(line, 16)
        self._content += self._left
        self._part = _Part.CHUNK if self._left else _Part.LAST_CHUNK_END

    def _end_chunk(self, line: bytes) -> None:
        """Take the empty line after a chunk's content, or after the last chunk, where trailers would be."""
        if line:
            raise FramingError("A chunk is longer than its size, or trailers follow the last one.")
        self._part = _Part.CHUNK_SIZE if self._part is _Part.CHUNK_END else _Part.COMPLETE


def _without_offers(head: bytes, headers: dict[bytes, list[bytes]]) -> bytes:
    """Return the head without the offer to switch to another protocol, as `Upgrade: h2c` or a WebSocket makes it."""
    connection = headers.get(b"connection", []) + headers.get(b"proxy-connection", [])
    tokens = {token.strip().lower() for value in connection for token in value.split(b",")}
    if b"upgrade" not in headers and b"upgrade" not in tokens:
        return head
    kept = _SWITCHING.sub(b"", head)
    return kept[:-2] + b"Connection: close\r\n\r\n" if b"close" in tokens else kept
