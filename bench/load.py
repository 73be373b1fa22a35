"""A small closed-loop HTTP client: each connection sends its next request when the last answer has come.

It speaks just enough HTTP/1.1 (keep-alive, Content-Length) to stay far cheaper than the server it measures.
"""

import asyncio
import json
import sys
import time
from functools import partial
from typing import cast

import uvloop


class Connection(asyncio.Protocol):
    """One keep-alive connection that repeats one request and records how long each answer took."""

    def __init__(self, request: bytes, until: float, latencies: list[float], done: asyncio.Future[None]) -> None:
        self.request, self.until, self.latencies, self.done = request, until, latencies, done
        self.buffer = b""
        self.failures = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class
        self._send()

    def _send(self) -> None:
        self.started = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        now = time.perf_counter()
        self.latencies.append(now - self.started)
        self.failures += not head.startswith(b"HTTP/1.1 200")
        self.buffer = b""
        if now < self.until:
            self._send()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def run(port: int, request: bytes, connections: int, seconds: float) -> dict[str, float]:
    """Load 127.0.0.1:port and return rate, p50 and p99 in milliseconds, and the number of refused requests."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    started = time.perf_counter()
    protocols, waits = [], []
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        connect = partial(Connection, request, started + seconds, latencies, done)
        _, protocol = await loop.create_connection(connect, "127.0.0.1", port)
        protocols.append(protocol)
        waits.append(done)
    await asyncio.wait_for(asyncio.gather(*waits), seconds + 30)
    elapsed = time.perf_counter() - started
    latencies.sort()
    count = len(latencies)
    return {
        "count": count,
        "rate": count / elapsed,
        "p50_ms": latencies[count // 2] * 1000,
        "p99_ms": latencies[min(count - 1, count * 99 // 100)] * 1000,
        "failures": sum(protocol.failures for protocol in protocols),
    }


if __name__ == "__main__":
    # Read from standard input: {"port", "request" (text), "connections", "seconds"}; write the figures as JSON.
    job = json.load(sys.stdin)
    print(json.dumps(uvloop.run(run(job["port"], job["request"].encode(), job["connections"], job["seconds"]))))
