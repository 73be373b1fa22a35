"""What the tests of the simulation share."""

import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from harness import EmptyingDatabase
from simulation.runs import Runs


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Leave the log out but for errors, which are shown with a failure."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.reset_defaults()


@pytest.fixture
def runs(
    tests_database: EmptyingDatabase,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> Iterator[Runs]:
    runs = Runs(tests_database, monkeypatch, record_property)
    yield runs
    print(dict(sorted(runs.happened.items())))  # noqa: T201
