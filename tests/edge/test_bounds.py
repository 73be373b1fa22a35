"""What a client may hold and for how long, and that everybody else is served meanwhile."""

import socket
import time
from collections.abc import Iterator

import pytest

from cli.program import eventually
from edge.corpus import post
from edge.raw import RawServer, exchange, received, statuses
from nicobar.program.http import http_limits
from nicobar.program.http.http_connections import Connections, counted_address

ASKED = b"GET /outer HTTP/1.1\r\nHost: a\r\n\r\n"


_opened: list[socket.socket] = []


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    """Close what a test has opened."""
    yield
    while _opened:
        _opened.pop().close()


def opened(server: RawServer, *sent: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    _opened.append(connection)
    for part in sent:
        connection.sendall(part)
    return connection


@pytest.fixture
def small_server() -> Iterator[RawServer]:
    """A server with room for four connections and 100,000 bytes of requests."""
    server = RawServer(Connections(maximum=4, maximum_held=100_000))
    server.start()
    yield server
    server.stop()


def is_open(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionResetError:
        return False


def open_connections(server: RawServer) -> int:
    """Return how many connections the server has taken in and not ended."""
    return len(server.connections._open)


def test_whoever_has_waited_longest_makes_room(small_server: RawServer) -> None:
    waiting = []
    for number in range(4):
        waiting.append(opened(small_server, b"GET /slow" if number % 2 else b""))
        eventually(lambda: open_connections(small_server) == len(waiting))
    late = opened(small_server, ASKED)
    assert statuses(late.recv(65_536)) == [200]
    assert [is_open(each) for each in waiting] == [False, True, True, True]


def test_who_is_served_does_not_make_room(small_server: RawServer) -> None:
    busy = [opened(small_server, ASKED.replace(b"/outer", b"/held")) for _ in range(4)]
    eventually(lambda: small_server.app.begun == 4)
    late = opened(small_server)
    assert not is_open(late)
    small_server.app.let_go = True
    assert [statuses(each.recv(65_536)) for each in busy] == [[200]] * 4


def test_bodies_that_do_not_end_make_room(small_server: RawServer) -> None:
    head = b"POST /outer HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n"
    first = opened(small_server, head + b"x" * 50_000)
    eventually(lambda: small_server.connections._held >= 50_000)
    second = opened(small_server, head + b"x" * 50_000)
    assert not is_open(first)
    second.sendall(b"x" * 10_000)
    assert statuses(second.recv(65_536)) == [200]
    assert small_server.app.seen == [("POST", "/outer", b"x" * 60_000)]


def test_what_was_served_is_not_counted_any_more(small_server: RawServer) -> None:
    idle = opened(small_server)
    for _ in range(5):
        assert statuses(exchange(small_server.port, post(b"Content-Length: 60000\r\n", b"x" * 60_000))) == [200]
    assert is_open(idle)


@pytest.mark.parametrize(
    ("sent", "constant"),
    [
        (b"", "REQUEST_SECONDS"),
        (b"GET /outer HT", "REQUEST_SECONDS"),
        (b"POST /outer HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello", "REQUEST_SECONDS"),
        (b"POST /outer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5", "REQUEST_SECONDS"),
        (ASKED, "KEEP_ALIVE_SECONDS"),
        (post(b""), "LINGER_SECONDS"),
        (b"NONSENSE\r\n\r\n", "LINGER_SECONDS"),
    ],
)
def test_a_client_has_its_time_and_no_more(
    raw_server: RawServer, monkeypatch: pytest.MonkeyPatch, sent: bytes, constant: str
) -> None:
    monkeypatch.setattr(http_limits, constant, 0.1)
    connection = opened(raw_server, sent)
    while connection.recv(65_536):
        pass
    ended = False
    while not ended:  # the server has closed altogether when it does not take anything any more
        try:
            connection.sendall(b"x")
            time.sleep(0.05)
        except (BrokenPipeError, ConnectionResetError):
            ended = True


def test_a_client_that_does_not_take_its_answer_is_cut(raw_server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_limits, "WRITE_SECONDS", 0.2)
    with opened(raw_server, ASKED.replace(b"/outer", b"/large")) as connection:
        time.sleep(2.0)
        assert 0 < len(received(connection)) < 8_000_000
    whole = exchange(
        raw_server.port, ASKED.replace(b"/outer", b"/large").replace(b"a\r\n", b"a\r\nConnection: close\r\n")
    )
    assert len(whole) > 8_000_000, "who takes it gets it"


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("2001:4860:1:2:3:4:5:6", "2001:4860:1:2::/64"),
        ("127.0.0.1", ""),
        ("10.1.2.3", ""),
        ("172.17.0.1", ""),
        ("::1", ""),
        ("fd00::1", ""),
        ("", ""),
    ],
)
def test_a_proxy_on_this_computer_or_a_private_network_is_not_one_client(address: str, counted: str) -> None:
    assert counted_address(address) == counted


def test_one_address_has_only_so_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nicobar.program.http.http_connections.counted_address", lambda address: address)
    server = RawServer(Connections(per_address=2))
    server.start()
    try:
        connections = [opened(server)]
        for _ in range(2):
            eventually(lambda: open_connections(server) == len(connections))
            connections.append(opened(server))
        assert [is_open(each) for each in connections] == [False, True, True]
    finally:
        server.stop()
