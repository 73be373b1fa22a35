"""A server under measurement, and what it, its PostgreSQL and a client take of the processor for each request."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import psutil
from bench.load import Figures, Job

NICOBAR = [sys.executable, "-m", "nicobar"]

_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


class Cost(msgspec.Struct):
    """What a load came to."""

    rate: float
    """Turns a second."""
    p50_ms: float
    p99_ms: float
    server_us: float
    """Processor time of the server for each turn, in microseconds; likewise the next two."""
    postgres_us: float
    client_us: float

    def limit(self, processes: int = 1) -> str:
        """Return what kept the rate of so many server processes from being higher, by who was busy."""
        cores = os.cpu_count() or 1
        server, whole = (used * self.rate / 1e6 for used in (self.server_us, sum(self._used)))
        if server > 0.85 * processes:
            return "the server's one process" if processes == 1 else f"the server's {processes} processes"
        if whole > 0.85 * cores:
            return f"all {cores} cores, of which the client takes {self.client_us * self.rate / 1e4:.0f} %"
        return "waiting: for answers, commits, the disk"

    @property
    def _used(self) -> tuple[float, float, float]:
        return self.server_us, self.postgres_us, self.client_us


def middle(costs: Sequence[Cost]) -> Cost:
    """Return the medians."""
    return Cost(*(median(column) for column in zip(*map(msgspec.structs.astuple, costs), strict=True)))


class Server:
    """`nicobar serve` on a data folder of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.log = data.with_suffix(".log")
        self.environment = os.environ | {
            "NICOBAR_RATE_LIMIT": "off",
            "NICOBAR_ALLOW_PRIVATE_WEBHOOKS": "1",
            "NICOBAR_KEY_FILE": str(data.with_suffix(".key")),
        }
        self.key = ""
        self.workers = 1

    def start(self) -> float:
        """Start it and return the seconds until its health check answered."""
        began = time.perf_counter()
        self.process, self.port = started(
            [*NICOBAR, "serve", "--port", "0", "--workers", str(self.workers), "--data", str(self.data)],
            self.log,
            self.environment,
        )
        self.call("GET", "/health")
        return time.perf_counter() - began

    def stop(self) -> None:
        """Stop it as Ctrl-C would."""
        self.process.terminate()
        self.process.wait(60)

    def start_again(self, workers: int) -> None:
        """Stop it, and start it with so many processes."""
        self.stop()
        self.workers = workers
        self.start()

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command on the same data."""
        line = [*NICOBAR, *words, "--data", str(self.data)]
        return subprocess.run(line, capture_output=True, text=True, check=False, env=self.environment)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request with the key and return the decoded answer; None for an empty one."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else None

    def request(self, method: str, path: str, body: Any = None) -> str:
        """Return a whole HTTP request with the key."""
        text = "" if body is None else json.dumps(body)
        head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {self.key}\r\n"
        if body is not None:
            head += f"content-type: application/json\r\ncontent-length: {len(text)}\r\n"
        return f"{head}\r\n{text}"

    def measure(
        self,
        requests: Sequence[str],
        connections: int,
        seconds: float,
        *,
        rate: float = 0.0,
        buys: bool = False,
        forms: Sequence[str] = (),
    ) -> Cost:
        """Load it, and return what came of it."""
        job = Job(self.port, list(requests), connections, seconds, rate, buys, list(forms))
        return measured(self._processes(), job, self.data)

    def spent(self) -> tuple[float, float]:
        """Return the processor time of the server and of its PostgreSQL so far, in seconds."""
        return cpu_seconds(self._processes()), postgres_seconds(self.data)

    def _processes(self) -> list[psutil.Process]:
        """Return all that serve: one, or who watches the others and they."""
        first = psutil.Process(self.process.pid)
        return [first, *first.children()] if self.workers > 1 else [first]

    @property
    def memory(self) -> float:
        """The resident memory of its process, in MiB."""
        return resident(self.process.pid)


def started(
    command: Sequence[str], log: Path, environment: dict[str, str] | None = None
) -> tuple["subprocess.Popen[str]", int]:
    """Start a program that prints its address or its port; return both."""
    with log.open("ab") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
    assert process.stdout is not None
    for line in process.stdout:
        if found := _ADDRESS.search(line) or re.fullmatch(r"(\d+)\n", line):
            return process, int(found[1])
    raise SystemExit(f"{command[1:4]} did not start: {log.read_text()}")


@contextmanager
def bare(size: int, log: Path) -> Iterator[tuple[psutil.Process, int]]:
    """Serve a constant of so many bytes while the block runs; yield the process and the port."""
    process, port = started([sys.executable, "-m", "bench.bare", str(size)], log)
    try:
        yield psutil.Process(process.pid), port
    finally:
        process.terminate()
        process.wait(30)


def measured(processes: Sequence[psutil.Process], job: Job, data: Path | None = None) -> Cost:
    """Load the server of these processes, and return what came of it; `data` is the folder of its PostgreSQL."""

    def spent() -> tuple[float, float]:
        return cpu_seconds(processes), 0.0 if data is None else postgres_seconds(data)

    before = spent()
    figures = load(job)
    server, postgres = ((late - early) / figures.count * 1e6 for early, late in zip(before, spent(), strict=True))
    return Cost(figures.rate, figures.p50_ms, figures.p99_ms, server, postgres, figures.client_us)


def load(job: Job) -> Figures:
    """Run the client in a process of its own."""
    result = subprocess.run(
        [sys.executable, "-m", "bench.load"], input=msgspec.json.encode(job), capture_output=True, check=False
    )
    assert result.returncode == 0, result.stderr.decode()
    figures = msgspec.json.decode(result.stdout, type=Figures)
    assert not figures.refused, f"an answer of the benchmark was a refusal: {figures.refused}"
    return figures


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """Return the user and system time that the processes have taken so far."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def postgres_seconds(data: Path) -> float:
    """Return the processor time of the embedded PostgreSQL so far: of what runs, and of what has ended."""
    postmaster = psutil.Process(postmaster_pid(data))
    ended = postmaster.cpu_times()
    return cpu_seconds([postmaster, *postmaster.children()]) + ended.children_user + ended.children_system


def postmaster_pid(data: Path) -> int:
    return int((data / "postgres" / "postmaster.pid").read_text().split()[0])


def resident(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    return float(psutil.Process(pid).memory_info().rss) / 2**20
