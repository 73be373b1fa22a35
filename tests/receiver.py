"""A receiver of webhooks on 127.0.0.1: it keeps every request and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from nicobar.core.business.tenant import Tenant
from nicobar.core.webhooks.endpoint import Endpoint, NewEndpoint
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.create_endpoint import create_endpoint


@dataclass
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    """By the clock of the event loop."""

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]


Answering = Callable[[Got], Awaitable[bytes | None]]


def answer(status: int = 200, content: bytes = b"ok", *headers: str) -> bytes:
    """Return a whole answer."""
    lines = "".join(f"{line}\r\n" for line in (f"content-length: {len(content)}", *headers))
    return f"HTTP/1.1 {status} x\r\n{lines}\r\n".encode() + content


@dataclass
class Receiver:
    """The server. `answers` are given in turn, the last one for ever; `by` decides instead when it is set."""

    answers: list[bytes] = field(default_factory=lambda: [answer()])
    by: Answering | None = None
    got: list[Got] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    tls: bool = False
    closes: bool = False
    """Whether it hangs up after each answer."""

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/hook"

    async def until(self, number: int, seconds: float = 30) -> list[Got]:
        """Wait for so many requests."""
        async with asyncio.timeout(seconds):
            while len(self.got) < number:
                await asyncio.sleep(0.002)
        return self.got

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                got = Got(first.split()[1], headers, body, asyncio.get_running_loop().time())
                self.got.append(got)
                if self.by is not None:
                    told = await self.by(got)
                else:
                    told = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if told is None:
                    break
                writer.write(told)
                await writer.drain()
                if self.closes or b"connection: close" in told:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving(*answers: bytes, by: Answering | None = None) -> AsyncIterator[Receiver]:
    """Serve while the block runs."""
    receiver = Receiver(list(answers) or [answer()], by)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await receiver.serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def endpoint_at(
    runtime: Runtime, tenant: Tenant, url: str, types: Sequence[str] | None = None, **more: object
) -> Endpoint:
    """Create an endpoint."""
    return await create_endpoint(runtime, tenant, NewEndpoint(url=url, filter_types=types, **more))  # type: ignore[arg-type]


def secret_of(runtime: Runtime, endpoint: Endpoint) -> str:
    """Return an endpoint's secret in clear."""
    assert runtime.webhooks is not None
    return runtime.webhooks.open(endpoint.place, endpoint.secret)
