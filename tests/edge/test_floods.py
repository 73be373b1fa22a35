"""Floods of everything that comes in: the server's memory stays within bounds, and others are served meanwhile.

`NICOBAR_EDGE_SECONDS=8 NICOBAR_EDGE_CONNECTIONS=3000` makes them long and wide.
"""

import os
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, cycle
from pathlib import Path

import pytest

from edge.raw import exchange, statuses
from nicobar.program.http.http_limits import allow_many_connections

SECONDS = float(os.environ.get("NICOBAR_EDGE_SECONDS", "0.7"))
CONNECTIONS = int(os.environ.get("NICOBAR_EDGE_CONNECTIONS", "200"))
MOST_MIB = 300

_CHUNKED = b"POST /outer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
_REQUEST = b"GET /outer HTTP/1.1\r\nHost: a\r\n\r\n"

FLOODS = {
    "trailers": (_CHUNKED + b"0\r\n", b"X: y\r\n" * 10_000),
    "one long trailer": (_CHUNKED + b"0\r\nX: ", b"y" * 60_000),
    "a chunk extension": (_CHUNKED + b"5;", b"y" * 60_000),
    "tiny chunks": (_CHUNKED, b"1\r\nx\r\n" * 10_000),
    "headers": (b"GET /outer HTTP/1.1\r\n", b"X: y\r\n" * 10_000),
    "a header without end": (b"GET /outer HTTP/1.1\r\nX: ", b"y" * 60_000),
    "a target without end": (b"GET /", b"y" * 60_000),
    "empty lines": (b"", b"\r\n" * 30_000),
    "bodies that are not read": (b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n", b"x" * 60_000),
    "requests behind one another": (_REQUEST, _REQUEST * 1000),
    "heads that do not end": (b"GET /outer HTTP/1.1\r\nX: " + b"y" * 16_000, b""),
    "answers that are not taken": (b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    "silence": (b"", b""),
}


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[int, int]]:
    """The process id and the port of a server in a process of its own."""
    allow_many_connections()
    command = [sys.executable, "-c", "from edge.raw import serve_until_killed; serve_until_killed()"]
    folder = str(Path(__file__).parents[1])
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=folder, env={**os.environ, "PYTHONPATH": folder}
    ) as process:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
        process.kill()


def memory_mib(pid: int, field: str = "VmRSS") -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) // 1024


def flood(port: int, start: bytes, more: bytes, meanwhile: Callable[[], None]) -> None:
    """Keep so many connections open that send `start` and then `more` again and again, and never read.

    They send as fast as the server and the system let them. What a client has not got rid of yet lies in its own
    computer's memory; here that is the server's, too, so they keep little of it. With megabytes each they would use up
    the memory that the system gives to TCP, and what was measured would be how it drops packets.
    """
    with selectors.DefaultSelector() as selector:
        opened: dict[socket.socket, Iterator[bytes]] = {}

        def open_one() -> None:
            connection = socket.socket()
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
            connection.connect_ex(("127.0.0.1", port))
            selector.register(connection, selectors.EVENT_WRITE)
            opened[connection] = iter([start] * bool(start) + [more] * 200 * bool(more))

        until, asking = time.monotonic() + SECONDS, cycle(range(20))
        while time.monotonic() < until:
            for _ in range(min(10, CONNECTIONS - len(opened))):  # what comes at once is answered before it is counted
                open_one()
            for key, _ in selector.select(0.05):
                connection: socket.socket = key.fileobj  # type: ignore[assignment]
                try:
                    part = next(opened[connection])
                    sent = connection.send(part)
                    if sent < len(part):
                        opened[connection] = chain([part[sent:]], opened[connection])
                except StopIteration:
                    selector.unregister(connection)  # it has sent all that it has
                except OSError:
                    selector.unregister(connection)
                    opened.pop(connection)
                    connection.close()
            if next(asking) == 0:
                meanwhile()
        for connection in opened:
            connection.close()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell the memory of a process")
@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_bounded_and_others_are_served(server: tuple[int, int], name: str) -> None:
    pid, port = server
    most = 0
    served = 0

    def meanwhile() -> None:
        nonlocal most, served
        answer = exchange(port, b"GET /outer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert statuses(answer) == [200]
        served += 1
        most = max(most, memory_mib(pid))

    with suppress(BlockingIOError):
        flood(port, *FLOODS[name], meanwhile)
    assert served > 0
    assert 0 < most < MOST_MIB
