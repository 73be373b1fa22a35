"""A server with our protocol and an application that remembers what it was asked, and a client that sends raw bytes."""

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Iterable
from typing import Any

import uvicorn
import uvloop

from nicobar.program.http.http_connections import Connections
from nicobar.program.http.http_limits import allow_many_connections
from nicobar.program.ports import accepting
from nicobar.program.server import server_config

PATIENCE = 20.0


class Remembering:
    """Answers each request with what it was, and keeps method, path and body of all that came whole.

    `/unread` is answered without its body, `/slow` after a while, `/held` when it is let go, `/large` at length,
    `/told` as it is told.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        self.begun = 0
        """How many requests have come so far."""
        self.let_go = False
        self.told: list[Any] = []
        """The messages of the next answers to `/told`."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun += 1
        body, status, more = b"", 200, scope["path"] != "/unread"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                status = 400
                break
            body += message["body"]
            more = message["more_body"]
        if scope["path"] == "/slow":
            await asyncio.sleep(0.2)
        while scope["path"] == "/held" and not self.let_go:
            await asyncio.sleep(0.01)
        if status == 200:
            self.seen.append((scope["method"], scope["path"], body))
        if scope["path"] == "/told":
            for message in self.told:
                await send(message)
            return
        answer = json.dumps({"method": scope["method"], "path": scope["path"], "body": body.decode("latin-1")}).encode()
        if scope["path"] == "/large":
            answer = b"x" * 8_000_000
        length = (b"content-length", b"%d" % len(answer))
        await send({"type": "http.response.start", "status": status, "headers": [length]})
        await send({"type": "http.response.body", "body": answer})


class RawServer(threading.Thread):
    """Runs uvicorn as `nicobar serve` does, around another application."""

    def __init__(self, connections: Connections | None = None) -> None:
        super().__init__(daemon=True)
        self.app = Remembering()
        self.connections = Connections() if connections is None else connections
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self._server = uvicorn.Server(server_config(self.app, self.connections))

    def run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._server.serve(accepting(self._listener)))

    def stop(self) -> None:
        self._server.should_exit = True
        self.join(PATIENCE)


def exchange(port: int, *segments: bytes, pause: float = 0.0, patience: float = PATIENCE) -> bytes:
    """Send segments, close our side for nobody, and return what comes until the server closes or is silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for segment in segments:
                connection.sendall(segment)
                time.sleep(pause)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return received(connection)


def received(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while part := connection.recv(65_536):
            answer += part
    except (ConnectionResetError, TimeoutError):
        pass
    return answer


def statuses(answer: bytes) -> list[int]:
    """Return the status of each final answer."""
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer) if found != b"100"]


def in_pieces(raw: bytes, size: int) -> Iterable[bytes]:
    return (raw[start : start + size] for start in range(0, len(raw), size))


def serve_until_killed() -> None:
    """Serve in this process, and print the port first."""
    allow_many_connections()
    server = RawServer()
    print(server.port, flush=True)  # noqa: T201 - the test reads it
    server.run()
