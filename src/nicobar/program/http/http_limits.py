"""HTTP/1.1 as this server speaks it: one request after the other, each within bounds, and one answer to each.

uvicorn does the work. What it leaves open is decided here:

- `RequestFraming` says where a request ends. The parser gets what is beyond doubt, and has to agree.
- What comes before an answer is out is never read as a request: the answer goes out, then the connection is closed.
- Once the application has a request, its answer is the answer, whatever is wrong with the bytes that follow.
- A client has so long to send its request and to take its answer; `Connections` ends what takes longer.
- Who brings more than a small request takes turns with others of its kind, lest whole requests wait for all of them.
"""

import asyncio
import re
import resource
import socket
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

import httptools
import msgspec
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from nicobar.api.errors import ErrorEnvelope
from nicobar.api.surface import ALWAYS, missing_headers
from nicobar.program.http.http_connections import Connections
from nicobar.program.http.http_framing import FramingError, RequestFraming

REQUEST_SECONDS: Final = 30.0
"""How long a connection may take from its first byte, or from being opened, until its request is complete."""

KEEP_ALIVE_SECONDS: Final = 75.0
"""How long an idle connection stays open: longer than the 60 seconds that reverse proxies commonly keep one, since they
would otherwise now and then send a request on a connection that is just being closed."""

WRITE_SECONDS: Final = 60.0
"""How long a client may leave bytes of an answer untaken."""

LINGER_SECONDS: Final = 10.0
"""How long a connection that is ending still reads and drops what comes. Closed at once with bytes unread, it would be
reset, and the reset can overtake the answer."""

READ_AT_ONCE: Final = 16 * 1024
"""How many bytes of a request are read as they come. What brings more waits for its turn after each piece."""

LINGER_BUFFER: Final = 64 * 1024
"""How many bytes the system may keep for a connection that is ending. Otherwise it learns to keep megabytes, and drops
packets of everybody when a thousand such connections have used up its memory."""

_HEADER_LINES: Final = re.compile(rb"(?:[a-z0-9-]+: [\t -~\x80-\xff]*\r\n)*")
_FRAMING_OF_ANSWERS: Final = frozenset({b"connection", b"transfer-encoding"})
"""Headers with which an answer says itself how it ends: those are uvicorn's to read."""

_NEVER: Final = float("inf")

_OPEN_FILES: Final = 65_536
"""How many sockets and files the process asks to be allowed; many systems start at 1024."""


class _Exchange(RequestResponseCycle):
    """One request and its answer."""

    protocol: "BoundedProtocol"
    broken = False
    """Whether the body cannot be read to its end."""

    async def receive(self) -> Any:
        """Return the next part of the body. A broken one ends as if the client had gone, but the answer goes out."""
        message = await super().receive()
        return {"type": "http.disconnect"} if self.broken else message

    async def send(self, message: Any) -> None:
        """Send a part of the answer, with `Connection: close` on its head when no other request can follow."""
        if message["type"] != "http.response.start":
            await super().send(message)
            return
        if not self.protocol.may_continue():
            self.keep_alive = False
        if not self._sent_head(message):
            await super().send(message)
        if not self.keep_alive:
            self.protocol.ending = True
            self.keep_alive = True  # its end is the protocol's, which waits for the answer to arrive

    def _sent_head(self, message: Any) -> bool:
        """Send the head of an answer of known length, checked as a whole, and return whether this was one.

        uvicorn, which looks at one header after the other, sends all others and refuses what no head can have.
        """
        headers = [*self.default_headers, *message["headers"]]
        named = dict(headers)
        length = named.get(b"content-length", b"")
        lines = b"".join([b"%b: %b\r\n" % header for header in headers])
        if (
            self.response_started
            or self.disconnected
            or self.flow.write_paused
            or not length.isdigit()
            or not _FRAMING_OF_ANSWERS.isdisjoint(named)
            or lines.count(b"\r") != len(headers)
            or not _HEADER_LINES.fullmatch(lines)
        ):
            return False
        self.response_started, self.waiting_for_100_continue = True, False
        self.expected_content_length, self.chunked_encoding = int(length), False
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[message["status"]] + lines + end)
        return True


class _Reading(FlowControl):
    """When a connection is read: when the application has room for more, and it is the connection's turn."""

    def __init__(self, transport: asyncio.Transport, protocol: "BoundedProtocol") -> None:
        super().__init__(transport)
        self._protocol = protocol

    def resume_reading(self) -> None:
        """Read on, which has to wait for a turn when one has been asked for."""
        if self.read_paused:
            self.read_paused = False
            self._protocol.read_on()


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with the bounds of this module, and with its own refusals in the contract's envelope."""

    def __init__(self, all_connections: Connections, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._all = all_connections
        self._framing = RequestFraming()
        self._parsed = False
        """Whether the parser has come to the end of the request."""
        self._lingering = False
        self._answered = False
        """Whether the connection has had an answer."""
        self.ending = False
        """Whether the connection ends with the present answer."""
        self.waiting_since = 0.0
        """The moment on the loop's clock, which is monotonic, since which the client is waited for."""
        self.deadline = _NEVER
        """When that has been long enough for something to send."""
        self.write_deadline = _NEVER
        """When that has been long enough for an answer to be taken."""
        self.held = 0
        """Bytes of the present request, or of an answer that is not taken."""
        self._in_line = False
        """Whether it waits for its turn to be read."""
        self._unread = b""
        """What has come, but has to wait for a turn of its own."""

    @property
    def address(self) -> str:
        """Return the address at the other end; empty when there is none."""
        return self.client[0] if self.client else ""

    @property
    def is_waiting(self) -> bool:
        """Return whether the connection waits for its client, and not the client for an answer."""
        return self.deadline != _NEVER or self.write_deadline != _NEVER

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request, if there is room for another connection."""
        super().connection_made(transport)
        self.flow = _Reading(transport, self)
        self._wait(REQUEST_SECONDS)
        self._all.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._unread = b""
        self._all.release(self)
        super().connection_lost(exc)

    def end(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Pass on what belongs to the present request."""
        if self.ending or self.transport.is_closing():
            self._wait_for_turn()
            return
        if self._framing.complete:
            self._end_after_response()
            return
        if not self._framing.begun:
            self._wait(REQUEST_SECONDS)
        self._all.hold(self, len(data))
        self._take(data)

    def _take(self, data: bytes) -> None:
        try:
            self._read(data)
        except FramingError as error:
            self._refuse(error)
        except httptools.HttpParserError:
            self._refuse(FramingError("The request is not valid HTTP/1.1."))

    def _wait_for_turn(self) -> None:
        """Bring no more before those who have waited for longer have had their turn."""
        self.transport.pause_reading()
        if not self._in_line:
            self._in_line = True
            self._all.turns.line_up(self)

    def take_turn(self) -> None:
        """Be read once."""
        self._in_line = False
        if self.transport.is_closing():
            return
        if self._unread and not self.flow.read_paused:
            data, self._unread = self._unread, b""
            self._take(data)
        self.read_on()

    def read_on(self) -> None:
        """Read what comes, unless the application has no room for it or others come first."""
        if self._in_line or self.flow.read_paused:
            return
        if self._unread:
            self._wait_for_turn()
        else:
            self.transport.resume_reading()

    def _read(self, data: bytes) -> None:
        if not self._framing.in_body:
            found = self._framing.read_head(data)
            if found is None:
                return
            head, data = found
            self.parser.feed_data(head)
        taken = self._framing.read_body(data)
        if taken:
            self.parser.feed_data(data[:taken])
        if self._framing.complete != self._parsed:
            raise FramingError("The end of the request is in doubt.")
        if self._framing.complete:
            self.deadline = _NEVER
            if data[taken:] not in (b"", b"\r\n"):
                self._end_after_response()
        else:
            self._unread = data[taken:]
            if self._unread or self.held > READ_AT_ONCE:
                self._wait_for_turn()

    def _end_after_response(self) -> None:
        """Read no further: what comes before the answer is out belongs to nobody."""
        self.ending = True
        self._unread = b""
        self.flow.pause_reading()

    def on_headers_complete(self) -> None:
        """Hand the request to the application."""
        path, _, query = self.url.partition(b"?")
        version = self.parser.get_http_version()
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        self.scope["path"] = unquote(path.decode("ascii"))
        self.scope["raw_path"] = path
        self.scope["query_string"] = query
        cycle = _Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue and version != "1.0",
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        cycle.protocol = self
        self.cycle = cycle
        self._start_asgi_task(cycle, self.app)

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body; whoever sends it waits no more for leave to send it."""
        self.cycle.waiting_for_100_continue = False
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Know that the parser has come to the end of the request."""
        self._parsed = True
        super().on_message_complete()

    def may_continue(self) -> bool:
        """Return whether another request can follow on this connection.

        Not when the answer comes before the request has: the client may then go on with the body or leave it out.
        """
        return self._framing.complete and not self.ending

    def on_response_complete(self) -> None:
        """Wait for the next request, or end the connection."""
        self.server_state.total_requests += 1
        self._all.give_back(self)
        if self.transport.is_closing():
            return
        self._framing = RequestFraming()
        self._parsed = False
        self._answered = True
        if self.ending:
            self._linger()
        else:
            self._wait(KEEP_ALIVE_SECONDS)
            self.flow.resume_reading()
        if self.flow.write_paused:
            self._all.hold(self, self.transport.get_write_buffer_size())

    def _wait(self, seconds: float) -> None:
        """Wait for the client, and not for longer than that."""
        self.waiting_since = self.loop.time()
        self.deadline = self.waiting_since + seconds

    def _linger(self) -> None:
        """Send what is left of the answer, and end when the client does or has had its time."""
        self.ending = self._lingering = True
        self._unread = b""
        self._wait(LINGER_SECONDS)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LINGER_BUFFER)
        self.transport.write_eof()
        self._wait_for_turn()
        self.flow.resume_reading()

    def _refuse(self, error: FramingError) -> None:
        """Refuse a request, unless the application has it already; then its answer is the answer."""
        cycle = self.cycle
        if isinstance(cycle, _Exchange) and not cycle.response_complete:
            cycle.broken = True
            cycle.message_event.set()
            self.deadline = _NEVER
            self._end_after_response()
            return
        if self._answered and error.status == HTTPStatus.BAD_REQUEST:
            # Bytes that follow an answer and are no request may be meant as the end of the one before. A second answer
            # would be taken by a proxy for that to the next request, whoever sends it.
            self.end()
            return
        body = msgspec.json.encode(ErrorEnvelope("INVALID_REQUEST_BODY", str(error)))
        phrase = HTTPStatus(error.status).phrase.encode()
        headers = [(b"content-type", b"application/json"), (b"x-should-retry", b"false")]
        lines = b"".join(b"%b: %b\r\n" % header for header in [*headers, *missing_headers(headers, ALWAYS)])
        head = b"HTTP/1.1 %d %b\r\n%b" % (error.status, phrase, lines)
        self.transport.write(b"%bcontent-length: %d\r\nconnection: close\r\n\r\n%b" % (head, len(body), body))
        self._all.give_back(self)
        self._linger()

    def pause_writing(self) -> None:
        """Give the client time to take the answer."""
        now = self.loop.time()
        self.waiting_since = now
        self.write_deadline = now + WRITE_SECONDS
        super().pause_writing()

    def resume_writing(self) -> None:
        """Go on: it is taking it."""
        self.write_deadline = _NEVER
        if not self._framing.begun:
            self._all.give_back(self)
        super().resume_writing()

    def shutdown(self) -> None:
        """End for the end of the server, after the present answer."""
        if self._lingering:
            self.end()
        else:
            super().shutdown()


def allow_many_connections() -> None:
    """Raise the number of files and sockets that this process may have open, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted: Any = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
