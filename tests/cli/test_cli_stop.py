"""How a server ends: status 0, running requests finished, nothing left behind."""

import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.program import PATIENCE, Serving, eventually, is_alive, postmaster, run
from nicobar.program.background import waiting_for
from nicobar.program.stop import Stop
from nicobar.worker.kinds import KINDS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_server_and_its_database(
    serve: Callable[..., Serving], data_alone: Path, number: signal.Signals
) -> None:
    serving = serve("--data", data_alone).ready()
    database = postmaster(data_alone)
    assert database is not None
    assert serving.stop(number) == 0
    assert not is_alive(database)
    assert postmaster(data_alone) is None
    assert serving.banner.endswith("Stopped.\n")
    assert serving.log == ""


def test_a_signal_while_the_database_starts_leaves_nothing_running(
    serve: Callable[..., Serving], data_alone: Path
) -> None:
    lock = data_alone / "postgres.start.lock"
    lock.unlink()
    serving = serve("--data", data_alone)
    eventually(lock.exists)
    assert serving.stop() == 0
    assert "Base URL" not in serving.banner
    assert postmaster(data_alone) is None


class HalfRequest:
    """A request whose body is still on its way: the server has read its head and waits for the rest."""

    def __init__(self, serving: Serving, key: str) -> None:
        head = (
            "POST /customers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {key}\r\nExpect: 100-continue\r\nContent-Length: 50\r\n\r\n"
        )
        self.connection = socket.create_connection(("127.0.0.1", serving.port), timeout=30)
        self.connection.sendall(head.encode())
        assert self.connection.recv(100).startswith(b"HTTP/1.1 100 ")

    def finish(self) -> bytes:
        """Send the rest, return the whole answer."""
        self.connection.sendall(b'{"email": "ada@example.com", "name": "Ada"}'.ljust(50))
        answer = b""
        while part := self.connection.recv(1000):
            answer += part
        return answer


@pytest.fixture
def half_request(serve: Callable[..., Serving], data_alone: Path) -> Iterator[tuple[Serving, HalfRequest]]:
    """A server that is in the middle of a request."""
    key = run("keys", "create", "--data", data_alone).stdout.strip()
    serving = serve("--data", data_alone).ready()
    request = HalfRequest(serving, key)
    yield serving, request
    request.connection.close()


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=30).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_running_request_is_finished_before_the_end(half_request: tuple[Serving, HalfRequest]) -> None:
    serving, request = half_request
    port = serving.port
    serving.process.send_signal(signal.SIGTERM)
    eventually(lambda: _refuses(port))
    assert serving.process.poll() is None
    answer = request.finish()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"email":"ada@example.com"' in answer
    assert serving.process.wait(PATIENCE) == 0


def test_an_end_says_every_second_what_it_waits_for(half_request: tuple[Serving, HalfRequest]) -> None:
    serving, request = half_request
    serving.process.send_signal(signal.SIGTERM)
    eventually(lambda: serving.banner.count("Waiting for 1 request ...\n") >= 2)
    assert request.finish().startswith(b"HTTP/1.1 200 ")
    assert serving.process.wait(PATIENCE) == 0
    assert serving.banner.endswith("Stopped.\n")


@pytest.mark.parametrize(
    ("running", "sentence"),
    [
        ({}, ""),
        ({"requests": 0, "deliver_webhook": 0}, ""),
        ({"requests": 2, "processor_calls": 1}, "Waiting for 2 requests and 1 call to a payment processor ..."),
        (
            {"requests": 1, "processor_calls": 3, "handle_notice": 0, "deliver_webhook": 1},
            "Waiting for 1 request, 3 calls to payment processors and 1 webhook delivery ...",
        ),
    ],
)
def test_the_sentence_counts_what_is_running(running: dict[str, int], sentence: str) -> None:
    assert waiting_for(running) == sentence


def test_the_sentence_has_words_for_every_kind_of_work() -> None:
    for kind in KINDS:
        assert waiting_for({kind.name: 2}).startswith("Waiting for 2 ")


@pytest.mark.parametrize("requests_to_stop", [1, 2])
def test_a_request_that_hangs_is_broken_off(
    half_request: tuple[Serving, HalfRequest], data_alone: Path, requests_to_stop: int
) -> None:
    """After the time to drain, or at once when it is asked for a second time; the database is released either way."""
    serving, request = half_request
    port, database = serving.port, postmaster(data_alone)
    assert database is not None
    for _ in range(requests_to_stop):
        serving.process.send_signal(signal.SIGINT)
        eventually(lambda: _refuses(port))
    assert serving.process.wait(PATIENCE) == 0
    answer = request.connection.recv(1000)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nx-should-retry: false\r\n" in answer  # it may have been a charge
    assert not is_alive(database)
    drained = "timeout graceful shutdown exceeded" in serving.log
    assert drained == (requests_to_stop == 1)


def test_an_ignored_signal_stays_ignored() -> None:
    """`nohup nicobar serve` survives the end of its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.asked == 0
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_request_to_stop_is_told_also_to_who_asks_later() -> None:
    told: list[int] = []
    with Stop() as stop:
        signal.raise_signal(signal.SIGTERM)
        with stop.calling(lambda: told.append(stop.asked)):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    assert told == [1, 2]
    assert stop.asked == 3
