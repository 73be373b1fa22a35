"""What a run of the benchmark found."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from bench.server import Cost
from bench.webhooks import Worked

SEVERAL: Final = 2
"""Processes of the server, where it has more than one."""

_HERE = Path(__file__).resolve().parent


class About(msgspec.Struct):
    """Where and when it ran."""

    day: str
    commit: str
    machine: str
    method: str
    """How long each measurement took, and how often."""


class Creation(msgspec.Struct):
    """POST /payments, pgbench and an empty answer that took turns, at one number of connections."""

    connections: int
    payments: Cost
    by_hand: float
    """Transactions of pgbench in a second."""
    ratio: float
    """Payments to transactions: the median of the rounds."""
    bare: Cost


class Row(msgspec.Struct):
    """One kind of request or purchase."""

    what: str
    cost: Cost
    connections: int


class Purchases(msgspec.Struct):
    """Payments that were created and paid on their pages, and told to a webhook endpoint before the clock stopped."""

    opens: bool
    """Whether each page was opened while the clock ran; otherwise that of a payment made before."""
    connections: int
    rate: float
    by_hand: float
    """Transactions of pgbench in a second, at as many connections."""
    ratio: float
    """Purchases to transactions: the median of the rounds."""
    cost: Cost


class Constant(msgspec.Struct):
    """POST /payments at a constant rate."""

    share: float
    """Of the highest rate, as measured before."""
    rate: float
    cost: Cost


class Grown(msgspec.Struct):
    """The same requests with so many stored payments."""

    payments: int
    rows: list[Row]


class Memory(msgspec.Struct):
    """Resident memory in MiB."""

    server: float
    """After the start."""
    worker: float
    after: float
    """Of the server, after all loads."""


class Results(msgspec.Struct):
    """All of it."""

    about: About
    first_start: float
    """Seconds until the first start of all answered; likewise one that finds a database."""
    start: float
    creations: list[Creation]
    several: list[Creation]
    """With `SEVERAL` processes of the server."""
    rows: list[Row]
    purchases: list[Purchases]
    constant: list[Constant]
    deliveries: Worked
    renewals: Worked
    grown: list[Grown]
    memory: Memory


def about(method: str) -> About:
    """Return what this run is to be known by."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    changed = " and changes that are not committed" if _git("status", "--porcelain", "--", "src", "bench") else ""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, {platform.system()} {platform.release()}"
    machine += f", Python {platform.python_version()} ({platform.python_compiler()})"
    return About(f"{datetime.now(UTC):%Y-%m-%d}", commit + changed, machine, method)


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True, cwd=_HERE).stdout.strip()


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
