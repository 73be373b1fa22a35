"""Folders for the tests of the embedded database.

As root the server runs as the account ``nobody``, and the place for root's files is a temporary folder, so that the
tests create no user and leave nothing behind.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from nicobar.storage.embedded import system_user as embedded_account
from nicobar.storage.embedded.embedded import open_embedded
from nicobar.storage.embedded.server import wait_until
from storage.embedded.embedded_probe import is_running, server_pid, temporary_place


@pytest.fixture(scope="session")
def session_place() -> Iterator[Path]:
    yield from temporary_place()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users may pass through, unlike pytest's own temporary folders."""
    yield from temporary_place()


@pytest.fixture(autouse=True)
def root_files(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = place / "var-lib-nicobar"
    monkeypatch.setattr(embedded_account, "SYSTEM_USER", "nobody")
    monkeypatch.setattr(embedded_account, "ROOT_FOLDER", folder)
    return folder


@pytest.fixture(scope="session")
def seed(session_place: Path) -> Path:
    """A data folder that was created once, because creating one takes as long as many tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded_account, "SYSTEM_USER", "nobody")
        open_embedded(session_place / "seed").release()
    return session_place / "seed"


@pytest.fixture
def data(place: Path, seed: Path) -> Iterator[Path]:
    """A data folder with a stopped database, the same for all tests; each leaves it sound and stopped.

    It is moved into the test's place and back, since a copy would take longer than all else in a test.
    """
    target = place / "data"
    seed.rename(target)
    yield target
    if is_running(target):
        os.kill(server_pid(target), signal.SIGKILL)
        assert wait_until(lambda: not is_running(target), 30)
    target.rename(seed)
