"""One POST at a time on one connection: HTTP/1.1 by asyncio's streams and the parser that the server uses, too.

Measured against httpx and aiohttp (decision 0024). It follows no redirect and knows no proxy of the environment.
"""

import asyncio
import os
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Final
from urllib.parse import urlsplit

import httptools

from nicobar.processors.webhooks.receiver_address import DeliveryError, find_addresses

READ_BYTES: Final = 16 * 1024
"""Bytes of an answer's body that are read; then the connection is closed."""

HEAD_BYTES: Final = 32 * 1024
"""Bytes of an answer's head that are read."""

_CHUNK: Final = 16 * 1024


class Target:
    """An address that is sent to, taken apart."""

    __slots__ = ("head", "host", "key", "port", "tls")

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        self.tls = parts.scheme.lower() == "https"
        self.port = parts.port or (443 if self.tls else 80)
        self.key = (self.host, self.port, self.tls)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        name = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (443 if self.tls else 80)
        self.head = f"POST {path} HTTP/1.1\r\nhost: {name if usual else f'{name}:{self.port}'}\r\n"


class Response:
    """What is collected of an answer; the parser calls its methods."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.headers: dict[bytes, bytes] = {}
        self.body = bytearray()
        self.status: int | None = None
        """Known when the head of the answer is whole."""
        self.complete = False
        self.keeps_alive = False

    def on_message_begin(self) -> None:
        """Begin an answer: an interim one (1xx) may have come before. What follows a whole one is none of it."""
        if not self.complete:
            self.headers.clear()
            self.status = None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Take the status, unless this is an interim answer."""
        status = self.parser.get_status_code()
        self.status = status if status >= 200 else None

    def on_body(self, data: bytes) -> None:
        """Keep some of the body."""
        self.body += data

    def on_message_complete(self) -> None:
        """Note that the answer is whole."""
        self.complete = self.status is not None
        self.keeps_alive = self.parser.should_keep_alive()


class Connection:
    """A connection to one receiver, whose address was judged when it was made."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opened: float) -> None:
        self._reader, self._writer = reader, writer
        self.opened = opened
        self.kept = False
        """Whether it can be used again."""

    @property
    def is_open(self) -> bool:
        """Whether the other side has not hung up, as far as is known."""
        return not self._reader.at_eof() and not self._writer.is_closing()

    async def post(self, head: bytes, body: bytes) -> Response:
        """Send a request and return the answer, whose status is known. Raises DeliveryError, EOFError and OSError.

        EOFError means that the connection was closed before any of the answer came.
        """
        self.kept = False
        self._writer.write(head + body)
        await self._writer.drain()
        response = Response()
        received = 0
        try:
            while True:
                data = await self._reader.read(_CHUNK)
                if not data:
                    break
                received += len(data)
                response.parser.feed_data(data)
                if response.complete or len(response.body) >= READ_BYTES:
                    break
                if received > READ_BYTES + HEAD_BYTES:
                    raise DeliveryError("HTTP: the head of the answer is too long.")
        except httptools.HttpParserError as error:
            if not response.complete:
                raise DeliveryError("HTTP: the answer cannot be read.") from error
            response.keeps_alive = False  # whatever follows the answer, as a body after a 204, is none of it
        if received == 0:
            raise EOFError
        if response.status is None:
            raise DeliveryError("HTTP: the connection was closed in the middle of the answer.")
        self.kept = response.complete and response.keeps_alive
        return response

    def close(self) -> None:
        """Hang up without a farewell, which could wait for the other side."""
        self._writer.transport.abort()


async def connect(target: Target, opened: float, *, allow_private: bool) -> Connection:
    """Open a connection to the first address that answers. Raises DeliveryError."""
    addresses = await find_addresses(target.host, target.port, allow_private=allow_private)
    failure = DeliveryError(f"DNS: the host {target.host[:100]} has no address.")
    for address in addresses:
        try:
            reader, writer = await asyncio.open_connection(
                address,
                target.port,
                ssl=_trust() if target.tls else None,
                server_hostname=target.host.rstrip(".") if target.tls else None,
                limit=_CHUNK,
            )
        except ssl.SSLCertVerificationError as error:
            raise DeliveryError(f"TLS: the certificate is not accepted: {error.verify_message}.") from error
        except ssl.SSLError as error:
            raise DeliveryError(f"TLS: {error.reason or 'the handshake failed'}.") from error
        except OSError as error:
            failure = DeliveryError(f"Connecting failed: {words_for(error)}.")
            failure.__cause__ = error
        else:
            return Connection(reader, writer, opened)
    raise failure


def words_for(error: OSError) -> str:
    """Return what the system says of an error, without addresses."""
    return os.strerror(error.errno).lower() if error.errno else "the connection broke"


def request_head(target: Target, headers: Mapping[str, str], length: int) -> bytes:
    """Return the head of a POST. The headers were checked when they were stored."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{target.head}{lines}content-type: application/json\r\ncontent-length: {length}\r\n\r\n".encode("latin-1")


@cache
def _trust() -> ssl.SSLContext:
    """Return what certificates are verified with; they are slow to load."""
    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
