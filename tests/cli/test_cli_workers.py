"""`nicobar serve --workers`: several processes on one port, which are replaced when they die and end together."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from cli.program import PATIENCE, Serving, eventually, is_alive, postmaster, run
from nicobar.program.installation import InstallationError, share_of_connections
from nicobar.program.processes import FIRST_PAUSE, LONGEST_PAUSE, pause

FIRST_DIES = Path(__file__).parents[1] / "faults" / "first_process_dies.py"

ORDER = {
    "billing": {"country": "US"},
    "customer": {"email": "ana@example.com", "name": "Ana"},
    "payment_link": True,
}


def processes(serving: Serving) -> list[psutil.Process]:
    """Return the server processes, without the supervisor and what has just died."""
    found = []
    for each in psutil.Process(serving.process.pid).children():
        with suppress(psutil.NoSuchProcess):
            if each.status() != psutil.STATUS_ZOMBIE and "postgres" not in each.name():
                found.append(each)
    return found


def listeners(serving: Serving) -> set[int]:
    """Return who can accept connections on the port."""
    found = set()
    for each in processes(serving):
        with suppress(psutil.NoSuchProcess):  # it may die at any moment
            if serving.port in {one.laddr.port for one in each.net_connections()}:
                found.add(each.pid)
    return found


def free_pair() -> int:
    """Return a port that is free, and so is the next one."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as one, suppress(OSError):
            port: int = one.getsockname()[1]
            socket.create_server(("127.0.0.1", port + 1)).close()
            return port


@pytest.fixture
def key(own_data: Path) -> str:
    made = run("keys", "create", "--data", own_data)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


class Customers(threading.Thread):
    """Creates payments until told to stop, each on a connection of its own, and keeps what was acknowledged."""

    def __init__(self, serving: Serving, key: str, product_id: str) -> None:
        super().__init__(daemon=True)
        self._url = f"{serving.base_url}/payments"
        self._headers = {"authorization": f"Bearer {key}"}
        self._body = ORDER | {"product_cart": [{"product_id": product_id, "quantity": 1}]}
        self.stop = threading.Event()
        self.payments: list[str] = []
        self.wrong: list[str] = []

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                answer = httpx.post(self._url, json=self._body, headers=self._headers, timeout=PATIENCE)
            except httpx.TransportError:
                continue  # no answer, so nothing was acknowledged
            if answer.status_code == 200:
                self.payments.append(answer.json()["payment_id"])
            else:
                self.wrong.append(answer.text)


def test_a_killed_process_comes_back_and_no_acknowledged_payment_is_lost(
    serve: Callable[..., Serving], own_data: Path, key: str
) -> None:
    serving = serve("--data", own_data, "--workers", "2", NICOBAR_RATE_LIMIT="off").ready()
    assert serving.banner.count("Nicobar 0.1.0 is ready.") == 1
    first = {each.pid for each in processes(serving)}
    assert len(first) == 2
    assert listeners(serving) == first
    headers = {"authorization": f"Bearer {key}"}
    price = {"type": "one_time_price", "currency": "USD", "price": 1900}
    product = {"name": "Guide", "tax_category": "e_book", "price": price}
    made = httpx.post(f"{serving.base_url}/products", json=product, headers=headers, timeout=PATIENCE).json()
    customers = [Customers(serving, key, made["product_id"]) for _ in range(4)]
    for each in customers:
        each.start()
    eventually(lambda: sum(len(each.payments) for each in customers) >= 20)
    victim = min(first)
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(listeners(serving) - {victim}) == 2)
    told = sum(len(each.payments) for each in customers)
    eventually(lambda: sum(len(each.payments) for each in customers) >= told + 20)
    for each in customers:
        each.stop.set()
    for each in customers:
        each.join(PATIENCE)
    assert [each.wrong for each in customers] == [[], [], [], []]
    (line,) = re.findall(r'^.*"process_died".*$', serving.log, re.MULTILINE)
    assert f'"pid":{victim}' in line and "killed by SIGKILL" in line
    acknowledged = {payment_id for each in customers for payment_id in each.payments}
    pages = (
        httpx.get(f"{serving.base_url}/payments?page_size=100&page_number={number}", headers=headers, timeout=PATIENCE)
        for number in range(1 + len(acknowledged) // 50)
    )
    stored = {each["payment_id"] for page in pages for each in page.json()["items"]}
    assert acknowledged - stored == set()
    assert serving.stop(signal.SIGINT) == 0
    examined = run("doctor", "--data", own_data)
    assert examined.returncode == 0, examined.stdout


def test_a_first_process_that_dies_while_others_start_is_replaced(tmp_path: Path) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, str(FIRST_DIES), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        eventually((tmp_path / "replaced").exists)
        assert supervisor.stdout is not None
        told = [supervisor.stdout.readline() for _ in range(2)]
    finally:
        supervisor.terminate()
        supervisor.communicate(timeout=PATIENCE)
    assert "killed by SIGKILL" in told[0]
    assert told[1] == "nicobar-2 is ready.\n"
    assert supervisor.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_processes_and_the_database(
    serve: Callable[..., Serving], data_alone: Path, number: signal.Signals
) -> None:
    serving = serve("--data", data_alone, "--workers", "3").ready()
    started, database = [each.pid for each in processes(serving)], postmaster(data_alone)
    assert len(started) == 3 and database is not None
    assert serving.stop(number) == 0
    assert [pid for pid in (*started, database) if is_alive(pid)] == []
    assert serving.banner.endswith("Stopped.\n")
    assert serving.banner.count("Stopped.") == 1
    assert serving.log == ""


def test_without_their_supervisor_the_processes_end_and_release_the_database(
    serve: Callable[..., Serving], data_alone: Path
) -> None:
    serving = serve("--data", data_alone, "--workers", "2").ready()
    started, database = [each.pid for each in processes(serving)], postmaster(data_alone)
    assert database is not None
    serving.process.kill()
    serving.process.wait(PATIENCE)
    eventually(lambda: not any(is_alive(pid) for pid in (*started, database)))


def test_each_process_has_a_port_of_its_own_for_metrics(serve: Callable[..., Serving], data_alone: Path) -> None:
    port = free_pair()
    serving = serve("--data", data_alone, "--workers", "2", NICOBAR_METRICS_PORT=str(port)).ready()
    texts = [httpx.get(f"http://127.0.0.1:{port + more}/metrics", timeout=PATIENCE).text for more in (0, 1)]
    started = {re.findall(r"^process_start_time_seconds (.*)$", text, re.MULTILINE)[0] for text in texts}
    assert len(started) == 2
    assert serving.stop() == 0


def test_the_demo_is_set_up_once(serve: Callable[..., Serving], own_data: Path) -> None:
    serving = serve("--demo", "--data", own_data, "--workers", "2").ready()
    (link,) = re.findall(r"^  Payment link +(\S+)$", serving.banner, re.MULTILINE)
    assert httpx.get(link, timeout=PATIENCE).status_code == 200
    assert serving.stop() == 0
    payments = run("payments", "list", "--data", own_data, "--json").stdout
    assert payments.count('"payment_id"') == 1


@pytest.mark.parametrize("count", ["0", "65", "two"])
def test_a_number_that_makes_no_sense_is_refused(data_alone: Path, count: str) -> None:
    result = run("serve", "--data", data_alone, "--workers", count)
    assert result.returncode == 2
    assert "--workers" in result.stderr
    assert postmaster(data_alone) is None


def test_too_many_processes_for_the_database_are_refused_in_one_sentence(own_data: Path) -> None:
    result = run("serve", "--port", "0", "--data", own_data, "--workers", "40")
    assert result.returncode == 2
    assert result.stderr == (
        "nicobar: PostgreSQL allows 97 connections, of the 172 that 40 server processes must have. "
        "Take fewer with --workers, or raise max_connections of that PostgreSQL.\n"
    )
    assert postmaster(own_data) is None


def test_processes_share_what_the_database_allows() -> None:
    assert [share_of_connections(97, processes) for processes in (2, 5, 6, 8, 21)] == [16, 16, 14, 10, 4]
    with pytest.raises(InstallationError):
        share_of_connections(97, 22)


def test_the_pause_doubles_while_processes_live_short() -> None:
    assert pause(0) == 0
    assert [pause(lives) for lives in (1, 2, 3)] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pause(100) == LONGEST_PAUSE
