"""A web site on 127.0.0.1 that gives prepared answers, for tests of what Nicobar fetches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class FakeSite:
    """Answers every request with `body`; `asked` are the paths with their queries, in order."""

    url: str = ""
    body: bytes = b""
    status: int = 200
    silent: bool = False
    """Take the request and never answer."""
    asked: list[str] = field(default_factory=list)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.split(b" ", 2)[1].decode())
        if self.silent:
            await reader.read()  # until the client gives up
        else:
            length = len(self.body)
            writer.write(f"HTTP/1.1 {self.status} Prepared\r\ncontent-length: {length}\r\n\r\n".encode() + self.body)
        writer.close()


@asynccontextmanager
async def fake_site(body: bytes = b"", **behaviour: bool | int) -> AsyncIterator[FakeSite]:
    """Lend a site while the block runs."""
    site = FakeSite(body=body, **behaviour)  # type: ignore[arg-type]
    server = await asyncio.start_server(site._serve, "127.0.0.1", 0)
    site.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield site
