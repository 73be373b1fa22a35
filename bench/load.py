"""HTTP load from a process of its own, which speaks just enough HTTP/1.1 to stay far cheaper than what it measures.

Closed: each connection takes its next turn when the last one has ended, so that a slow server is asked less often.
Open: turns begin at a constant rate, whatever the server does, and last from the moment at which they were to begin: a
turn that waits for a free connection has that in its latency.

A turn is one request, or a purchase: a payment is created, its page opened, its form sent. Where pages have been
opened before, a turn creates a payment and sends the form of another one.

It reads a `Job` as JSON from standard input and writes `Figures`.
"""

import asyncio
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from functools import partial
from itertools import cycle
from typing import NamedTuple, cast
from urllib.parse import urlencode

import msgspec
import uvloop

TOKEN = re.compile(rb'name="token" value="([^"]+)"')
LINK = re.compile(rb'"payment_link":"https?://[^/"]+(/[^"]+)"')
OPENING = 60.0
"""Seconds that opening pages ahead may take."""
CARD = {"number": "4242424242424242", "expiry": "12 / 34", "cvc": "123", "name": "Ana Lima"}


class Job(msgspec.Struct):
    """What to do to a server on this computer."""

    port: int
    requests: list[str]
    """Whole HTTP requests that take turns."""
    connections: int
    seconds: float
    rate: float = 0.0
    """Turns a second of an open load; 0 for a closed one."""
    buys: bool = False
    """Whether each request creates a payment, which is then paid on its page."""
    forms: list[str] = []
    """Requests that send the form of a page that is open already. Each turn sends one of them after its request, and a
    closed load ends with them."""


class Figures(msgspec.Struct):
    """What came of it."""

    count: int
    rate: float
    """Turns a second."""
    p50_ms: float
    p99_ms: float
    client_us: float
    """Processor time of the client for each turn."""
    refused: str
    """The first answer that is neither 200 nor 303; empty for none."""


class Answer(NamedTuple):
    status: int
    body: bytes


Turn = Generator[bytes, Answer, None]
"""Yields requests, and is given their answers."""


def asking(request: bytes) -> Turn:
    """Send one request."""
    yield request


def opening(request: bytes, forms: list[bytes]) -> Turn:
    """Create a payment, open its page, add the request that sends its form with a card."""
    created = yield request
    link = LINK.search(created.body)
    assert link is not None, created.body
    page = yield b"GET %b HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" % link[1]
    token = TOKEN.search(page.body)
    assert token is not None, page.body
    form = urlencode(CARD | {"token": token[1].decode()}).encode()
    forms.append(
        b"POST %b HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-www-form-urlencoded\r\n"
        b"content-length: %d\r\n\r\n%b" % (link[1], len(form), form)
    )


def buying(request: bytes) -> Turn:
    """Create a payment, open its page, send the form."""
    forms: list[bytes] = []
    yield from opening(request, forms)
    yield from sending(forms[0])


def paying(request: bytes, form: bytes) -> Turn:
    """Create a payment, and send the form of another one."""
    yield request
    yield from sending(form)


def sending(form: bytes) -> Turn:
    """Send a form, which is to lead on: shown again, it would have paid nothing."""
    answer = yield form
    assert answer.status == 303, answer.body


def turns_of(job: Job) -> Iterator[Turn]:
    """Return the turns of a job; all but those with forms go on for ever."""
    requests = cycle([text.encode() for text in job.requests])
    if job.forms:
        return (paying(request, form.encode()) for request, form in zip(requests, job.forms, strict=False))
    return map(buying if job.buys else asking, requests)


class Connection(asyncio.Protocol):
    """One keep-alive connection, which takes a turn at a time."""

    def __init__(self, rested: Callable[["Connection"], None]) -> None:
        self._rested = rested
        self._buffer = b""
        self.latencies: list[float] = []
        self.refused = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class

    def begin(self, turn: Turn, since: float) -> None:
        """Take a turn that was to begin at a moment."""
        self._turn, self._since = turn, since
        self.transport.write(next(turn))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._buffer = b""
        status = int(head[9:12])
        if status not in (200, 303):
            self.refused = self.refused or (head + body)[:600].decode(errors="replace")
            self._end()
            return
        try:
            self.transport.write(self._turn.send(Answer(status, body)))
        except StopIteration:
            self._end()

    def _end(self) -> None:
        self.latencies.append(time.perf_counter() - self._since)
        self._rested(self)

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None:
            self.refused = self.refused or repr(error)


class Load:
    """A load while it goes on."""

    def __init__(self, job: Job, turns: Iterator[Turn] | None = None) -> None:
        """Take the job, and other turns than its own."""
        self._job = job
        self._turns = turns_of(job) if turns is None else turns
        self._idle: list[Connection] = []
        self._waiting: deque[float] = deque()
        """Moments at which turns were to begin that no connection was free for."""
        self._running = 0
        self._over = asyncio.Event()

    def _rested(self, connection: Connection) -> None:
        """Let a connection that is free go on, or rest."""
        self._running -= 1
        now = time.perf_counter()
        if self._job.rate:
            if self._waiting:
                self._begin(connection, self._waiting.popleft())
            else:
                self._idle.append(connection)
        elif now < self._until:
            self._begin(connection, now)
        if self._running == 0 and now >= self._until:
            self._over.set()

    def _begin(self, connection: Connection, since: float) -> None:
        turn = next(self._turns, None)
        if turn is None:
            self._until = since  # nothing is left to do
            return
        self._running += 1
        connection.begin(turn, since)

    def _arrive(self, moment: float) -> None:
        if self._idle:
            self._begin(self._idle.pop(), moment)
        else:
            self._waiting.append(moment)

    def _time_arrivals(self, loop: asyncio.AbstractEventLoop, started: float) -> None:
        """Announce each turn at its moment, from a thread: the timers of an event loop are a millisecond coarse."""
        for number in range(int(self._job.seconds * self._job.rate)):
            moment = started + number / self._job.rate
            time.sleep(max(0.0, moment - time.perf_counter()))
            loop.call_soon_threadsafe(self._arrive, moment)

    async def run(self) -> Figures:
        """Load the server, and wait for the last answer."""
        loop, job = asyncio.get_running_loop(), self._job
        connections: list[Connection] = []
        for _ in range(job.connections):
            _, made = await loop.create_connection(partial(Connection, self._rested), "127.0.0.1", job.port)
            connections.append(made)
        spent, started = time.process_time(), time.perf_counter()
        self._until = started + job.seconds
        if job.rate:
            self._idle = list(connections)
            thread = threading.Thread(target=self._time_arrivals, args=(loop, started), daemon=True)
            thread.start()
            await asyncio.sleep(job.seconds)
            await asyncio.to_thread(thread.join)
            await asyncio.sleep(0)  # what the thread announced last
        else:
            for connection in connections:
                self._begin(connection, time.perf_counter())
        if self._running or self._waiting:
            await asyncio.wait_for(self._over.wait(), job.seconds + 60)
        elapsed, spent = time.perf_counter() - started, time.process_time() - spent
        for connection in connections:
            connection.transport.close()
        latencies = sorted(one for connection in connections for one in connection.latencies)
        count = len(latencies)
        return Figures(
            count,
            count / elapsed,
            latencies[count // 2] * 1000,
            latencies[min(count - 1, count * 99 // 100)] * 1000,
            spent / count * 1e6,
            next((connection.refused for connection in connections if connection.refused), ""),
        )


async def open_pages(port: int, request: str, count: int, connections: int) -> list[str]:
    """Create so many payments, open their pages, and return the requests that send their forms."""
    forms: list[bytes] = []
    turns = (opening(request.encode(), forms) for _ in range(count))
    figures = await Load(Job(port, [], connections, OPENING), turns).run()
    assert not figures.refused, figures.refused
    return [form.decode() for form in forms]


async def main() -> None:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(await Load(job).run()))


if __name__ == "__main__":
    uvloop.run(main())
