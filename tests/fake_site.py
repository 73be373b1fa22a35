"""A web site on 127.0.0.1 that gives prepared answers, for tests of what Nicobar fetches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

TURNS_TO_ACCEPT = 5
"""To see the connection, to accept it, to make its transport, to tell the protocol, and to begin to serve it."""


@dataclass
class FakeSite:
    """Answers every request with `body`; `asked` are the paths with their queries, in order."""

    url: str = ""
    body: bytes = b""
    status: int = 200
    silent: bool = False
    """Take the request and never answer."""
    asked: list[str] = field(default_factory=list)

    _connections: list[asyncio.StreamWriter] = field(default_factory=list)
    _closed: bool = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.append(writer)
        try:
            if not self._closed:
                await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client gave up
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.split(b" ", 2)[1].decode())
        if self.silent:
            await reader.read()  # until one of both gives up
            return
        length = len(self.body)
        writer.write(f"HTTP/1.1 {self.status} Prepared\r\ncontent-length: {length}\r\n\r\n".encode() + self.body)

    async def close(self) -> None:
        """Cut every connection, so that no socket outlives the test.

        A client that gave up early may have left one that waits to be accepted. The server gets the turns of the loop
        in which it is: of a server that is closed in between, asyncio forgets the socket without closing it.
        """
        self._closed = True
        for _ in range(TURNS_TO_ACCEPT):
            await asyncio.sleep(0)
        for writer in self._connections:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def fake_site(body: bytes = b"", **behaviour: bool | int) -> AsyncIterator[FakeSite]:
    """Yield a site while the block runs."""
    site = FakeSite(body=body, **behaviour)  # type: ignore[arg-type]
    server = await asyncio.start_server(site._serve, "127.0.0.1", 0)
    site.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        try:
            yield site
        finally:
            await site.close()
