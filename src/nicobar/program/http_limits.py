"""Bounds on a connection, which uvicorn leaves open: how large a request's head may be and how long it may take.

Without them one stranger could hold the process with an endless header, and a few hundred could use up its
connections with requests that never end. The body has its own bound in `api/routing.py` and `pages/`.
"""

import asyncio
import resource
from contextlib import suppress
from typing import Any, Final

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nicobar.api.errors import ErrorEnvelope

MAXIMUM_HEAD: Final = 64 * 1024
"""Bytes of request line and headers together."""

REQUEST_SECONDS: Final = 30.0
"""How long a connection may take from its first byte, or from being opened, until its request is complete."""

_OPEN_FILES: Final = 65_536
"""How many sockets and files the process asks to be allowed; many systems start at 1024."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with the bounds of this module, and with its own refusals in the contract's envelope."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._in_head = True
        self._deadline: asyncio.TimerHandle | None = None
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline with the connection."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and refuse a head that has grown too large without coming to its end."""
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MAXIMUM_HEAD:
                self._refuse(b"431 Request Header Fields Too Large", f"The head exceeds {MAXIMUM_HEAD} bytes.")

    def on_message_begin(self) -> None:
        """Start counting and timing a request."""
        super().on_message_begin()
        self._head_bytes = 0
        self._in_head = True
        if self._deadline is None:
            self._arm()

    def on_headers_complete(self) -> None:
        """End the head."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the request; what follows is ours to take time for."""
        self._disarm()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        self._refuse(b"400 Bad Request", msg)

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: a client that offers another protocol is answered in this one."""

    def _refuse(self, status: bytes, message: str) -> None:
        body = msgspec.json.encode(ErrorEnvelope("INVALID_REQUEST_BODY", message))
        head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\nx-should-retry: false\r\n" % status
        self.transport.write(b"%bcontent-length: %d\r\nconnection: close\r\n\r\n%b" % (head, len(body), body))
        self.transport.close()

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def allow_many_connections() -> None:
    """Raise the number of files and sockets that this process may have open, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted: Any = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
