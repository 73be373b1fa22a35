"""`nicobar worker`, and servers that leave their work to it."""

import asyncio
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.program import PATIENCE, PROGRAM, Serving, environment, eventually, heed_signals, postmaster
from nicobar.storage.database import Database
from nicobar.storage.embedded.embedded import open_embedded


class Working:
    """A worker that was started with `nicobar worker`."""

    def __init__(self, data: Path) -> None:
        with tempfile.TemporaryFile() as log:
            self.process = subprocess.Popen(
                [*PROGRAM, "worker", "--data", data],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(),
                preexec_fn=heed_signals,
            )

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def stop(self, number: int) -> str:
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=PATIENCE)
        return output


@pytest.fixture
def worker(data_alone: Path) -> Iterator[Callable[[], Working]]:
    started: list[Working] = []

    def start() -> Working:
        started.append(Working(data_alone))
        return started[-1]

    yield start
    for working in started:
        with working.process as process:  # which closes its pipe
            if process.poll() is None:
                process.kill()


_ADD = """
INSERT INTO notices (business_id, mode, processor, notice_id, subject, reference, received_at, due_at)
VALUES ('bus_x', 'test', 'simulator', 'none', 'attempt', 'att_x', now(), now())
"""


async def _inbox(dsn: str, *statements: str) -> int:
    """Add a notice about an attempt that does not exist if asked to, and return how many notices wait.

    Those that were handled are taken away: other tests use the database, too.
    """
    database = Database(dsn, size=1)
    try:
        if "add" in statements:
            async with database.transaction() as tx:
                await tx.execute("DELETE FROM notices")  # one may have been handled after the last look
                await tx.execute(_ADD)
        async with database.read() as read:
            await read.execute("DELETE FROM notices WHERE handled_at IS NOT NULL")
            waiting: int = await read.fetchval("SELECT count(*) FROM notices WHERE due_at IS NOT NULL")
    finally:
        await database.close()
    return waiting


def _waiting(data: Path, *statements: str) -> int:
    with open_embedded(data) as postgres:
        return asyncio.run(_inbox(postgres.dsn, *statements))


def test_a_server_does_its_work_by_itself(serve: Callable[..., Serving], data_alone: Path) -> None:
    serve("--data", data_alone).ready()
    assert _waiting(data_alone, "add") in (0, 1)
    eventually(lambda: _waiting(data_alone) == 0)


def test_a_server_without_a_worker_leaves_its_work_to_one(
    serve: Callable[..., Serving], worker: Callable[[], Working], data_alone: Path
) -> None:
    serving = serve("--data", data_alone, "--no-worker").ready()
    assert _waiting(data_alone, "add") == 1
    working = worker()
    while "until Ctrl-C" not in (line := working.said()):
        assert line, "the worker has ended"
    eventually(lambda: _waiting(data_alone) == 0)
    assert working.stop(signal.SIGTERM).endswith("Stopped.\n")
    assert working.process.returncode == 0
    assert serving.process.poll() is None
    assert postmaster(data_alone) is not None


def test_a_worker_alone_opens_the_database_and_closes_it(worker: Callable[[], Working], data_alone: Path) -> None:
    working = worker()
    while "until Ctrl-C" not in (line := working.said()):
        assert line, "the worker has ended"
    assert postmaster(data_alone) is not None
    working.stop(signal.SIGINT)
    assert working.process.returncode == 0
    assert postmaster(data_alone) is None
