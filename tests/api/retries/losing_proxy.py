"""A proxy that loses answers: the first of each request, and of some the second, too. In a thread of its own."""

import asyncio
import re
import threading
from collections import Counter
from itertools import count

LOSSES = ("request", "answer", "early", "part", "late")
"""The request never arrives; the answer is thrown away; nobody waits for it; a part of its head comes (the npm SDK
does not try again once it has the head); it comes too late, when the client has hung up."""


class LosingProxy(threading.Thread):
    """Forwards HTTP/1.1 requests with a body to one server on this computer."""

    def __init__(self, port: int) -> None:
        super().__init__(name="losing-proxy", daemon=True)
        self.port = 0
        self.lost: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        """Kinds of requests by what their answer says: `replayed` or `made`."""
        self._server_port = port
        self._open = 0
        self._turn = count()
        self._ready = threading.Event()
        self._end: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> str:
        """Start, and return the address."""
        self.start()
        assert self._ready.wait(10)
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        assert self._loop is not None and self._end is not None
        self._loop.call_soon_threadsafe(self._end.set)
        self.join(10)

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        while self._open:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)  # what was closed last is closed in the next turns of the loop

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            while (message := await _message(reader)) is not None:
                loss = self._loss(message)
                if loss is not None:
                    self.lost[loss] += 1
                if loss == "request":
                    break
                if loss == "early":
                    writer.transport.abort()
                answer = await self._forward(message)
                if loss == "late":
                    await reader.read()  # until the client has given up
                if loss in ("answer", "early", "late"):
                    break
                if loss == "part":
                    writer.write(answer[: answer.index(b"\r\n\r\n") // 2])
                    await writer.drain()
                    break
                self.answered["replayed" if b"\r\nidempotent-replayed: true" in answer.lower() else "made"] += 1
                writer.write(answer)
                await writer.drain()
        except ConnectionError:
            pass  # the client has given up
        finally:
            writer.transport.abort()
            self._open -= 1

    def _loss(self, message: bytes) -> str | None:
        """Choose what goes wrong: something the first time, and half the time the second; late only once."""
        found = re.search(rb"\r\nx-stainless-retry-count: (\d+)", message.lower())
        retry = 0 if found is None else int(found[1])
        turn = next(self._turn)
        if not message.startswith(b"POST") or retry > 1 or (retry == 1 and turn % 2):
            return None
        return LOSSES[turn % (len(LOSSES) - retry)]

    async def _forward(self, message: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        try:
            writer.write(message)
            await writer.drain()
            return await _message(reader) or b""
        finally:
            writer.transport.abort()


async def _message(reader: asyncio.StreamReader) -> bytes | None:
    """Return one request or answer with its body; None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    length = re.search(rb"\r\ncontent-length: *(\d+)", head.lower())
    return head + (await reader.readexactly(int(length[1])) if length else b"")
