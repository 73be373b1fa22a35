"""An installation of its own for the tests of the command line, and a server on it that runs for the whole session."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from cli.program import Serving, new_folder, run
from nicobar.storage.database import Database
from nicobar.storage.embedded.embedded import EmbeddedPostgres

_numbers = count(1)


@contextmanager
def _installation() -> Iterator[Path]:
    """Yield a data folder with a database in it."""
    folder = new_folder()
    made = run("keys", "create", "--data", folder / "data")
    assert made.returncode == 0, made.stderr
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def data() -> Iterator[Path]:
    """A data folder with a database in it. Servers and commands come and go on it."""
    with _installation() as data:
        yield data


@pytest.fixture(scope="session")
def data_alone() -> Iterator[Path]:
    """Another one, on which nothing runs but what the test itself starts."""
    with _installation() as data:
        yield data


@pytest.fixture
def own_data() -> Iterator[Path]:
    """One more, for a single test that leaves it in another state than it found it."""
    with _installation() as data:
        yield data


@pytest.fixture(scope="session")
def served(data: Path) -> Iterator[Serving]:
    """A server that runs alongside the tests."""
    serving = Serving("--data", data)
    try:
        yield serving.ready()
    finally:
        serving.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Serving]]:
    """Starts servers that are stopped at the end of the test."""
    started: list[Serving] = []

    def start(*arguments: str | Path, **options: str) -> Serving:
        started.append(Serving(*arguments, **options))
        return started[-1]

    yield start
    for serving in started:
        serving.close()


@pytest_asyncio.fixture
async def external_database(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The address of an empty database on a PostgreSQL that is not the command's to start or stop."""
    name = f"nicobar_cli_{next(_numbers)}"
    maintenance = Database(postgres.dsn, size=1)
    async with maintenance.read() as connection:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        yield postgres.dsn.replace("/nicobar?", f"/{name}?")
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await maintenance.close()
