"""What a crash, an interruption or a full disk leaves behind, and what is refused."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nicobar.storage.embedded import bundle as embedded_bundle
from nicobar.storage.embedded import embedded
from nicobar.storage.embedded import server as embedded_server
from nicobar.storage.embedded.embedded import EmbeddedError, binary, open_embedded
from nicobar.storage.embedded.server import FileLock, wait_until
from storage.embedded.embedded_probe import AS_SERVER_USER, ROOT, is_running, is_used, keep_a_row, server_pid, value

only_normal_user = pytest.mark.skipif(ROOT, reason="nothing is forbidden to root; the normal user's run covers it")


async def crashed(data: Path) -> None:
    """Leave the folder as a power failure does: with a committed row, and the files of a server that is gone."""
    postgres = open_embedded(data)
    await keep_a_row(postgres.dsn)
    os.kill(server_pid(data), signal.SIGKILL)
    assert wait_until(lambda: not is_running(data), 30)
    postgres.release()
    assert (data / "postgres" / "postmaster.pid").exists()


async def test_a_crashed_server_is_started_again(data: Path) -> None:
    await crashed(data)
    with open_embedded(data) as postgres:
        assert await value(postgres.dsn, "SELECT answer FROM kept") == 42


async def test_a_process_id_that_another_program_has_now_is_left_alone(data: Path) -> None:
    await crashed(data)
    stranger = subprocess.Popen(["sleep", "60"], **AS_SERVER_USER)
    try:
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            path = data / "postgres" / name
            lines = path.read_text().splitlines(keepends=True)
            path.write_text("".join([f"{stranger.pid}\n", *lines[1:]]))
        with open_embedded(data) as postgres:
            assert await value(postgres.dsn, "SELECT answer FROM kept") == 42
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_an_empty_pid_file_is_cleared_away(data: Path) -> None:
    await crashed(data)
    (data / "postgres" / "postmaster.pid").write_text("")
    with open_embedded(data) as postgres:
        assert await value(postgres.dsn, "SELECT answer FROM kept") == 42


async def test_a_server_that_a_person_started_is_used_but_not_stopped(data: Path) -> None:
    cluster = str(data / "postgres")
    command = [str(binary("postgres")), "-D", cluster, "-h", "", "-k", cluster]
    by_hand = subprocess.Popen(command, stderr=subprocess.DEVNULL, **AS_SERVER_USER)
    try:
        pid_file = data / "postgres" / "postmaster.pid"
        assert wait_until(lambda: pid_file.exists() and "ready" in pid_file.read_text(), 30)
        with open_embedded(data) as postgres:
            assert server_pid(data) == by_hand.pid
            assert await value(postgres.dsn, "SELECT 1") == 1
        assert by_hand.poll() is None
    finally:
        by_hand.send_signal(signal.SIGINT)
        by_hand.wait()


async def test_a_living_server_that_does_not_answer_is_never_doubled(data: Path) -> None:
    """Its process id looks left over; PostgreSQL's own guard, the shared memory, has to refuse the second server."""
    cluster = str(data / "postgres")
    command = [str(binary("postgres")), "-D", cluster, "-h", "", "-k", cluster]
    by_hand = subprocess.Popen(command, stderr=subprocess.DEVNULL, **AS_SERVER_USER)
    try:
        pid_file = data / "postgres" / "postmaster.pid"
        assert wait_until(lambda: pid_file.exists() and "ready" in pid_file.read_text(), 30)
        (data / "postgres" / ".s.PGSQL.5432").unlink()
        with pytest.raises(EmbeddedError, match="shared memory block"):
            open_embedded(data)
        assert by_hand.poll() is None
        assert server_pid(data) == by_hand.pid
    finally:
        by_hand.send_signal(signal.SIGINT)
        by_hand.wait()


async def test_an_interrupted_creation_is_done_again(place: Path) -> None:
    data = place / "data"
    (data / "postgres.new" / "base").mkdir(parents=True)
    (data / "postgres.new" / "PG_VERSION").write_text("18\n")
    with open_embedded(data) as postgres:
        assert await value(postgres.dsn, "SELECT current_database()") == "nicobar"
    assert not (data / "postgres.new").exists()


@pytest.mark.parametrize("step", [1, 2])
async def test_a_failed_creation_leaves_nothing(place: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    data = place / "data"
    steps = []

    def failing(command: Any, *arguments: Any, **options: Any) -> "subprocess.CompletedProcess[str]":
        steps.append(command)
        if len(steps) == step:
            text = "could not write to file: No space left on device"
            return subprocess.CompletedProcess(command, 1, stdout=text)
        return embedded_bundle.run_program(command, *arguments, **options)

    monkeypatch.setattr(embedded, "run_program", failing)
    with pytest.raises(EmbeddedError, match="The disk is full; make room on it and start again"):
        open_embedded(data)
    assert not is_used(data)
    assert not is_running(data)
    assert sorted(path.name for path in data.iterdir() if path.is_dir()) == []


def test_a_file_instead_of_the_folder_is_refused(place: Path) -> None:
    (place / "file").write_text("mine")
    with pytest.raises(EmbeddedError, match="file is a file, but the data folder of Nicobar has to be a folder"):
        open_embedded(place / "file")
    with pytest.raises(EmbeddedError, match="file is in the way and is no folder"):
        open_embedded(place / "file" / "data")
    assert (place / "file").read_text() == "mine"


@only_normal_user
def test_a_folder_that_we_may_not_write_to_is_refused(place: Path) -> None:
    (place / "data").mkdir(mode=0o500)
    with pytest.raises(EmbeddedError, match="cannot be used by this user: Permission denied"):
        open_embedded(place / "data")
    with pytest.raises(EmbeddedError, match="cannot be used by this user: Permission denied"):
        open_embedded(place / "data" / "deeper")
    assert list((place / "data").iterdir()) == []


def test_a_database_of_another_postgres_is_refused_and_not_touched(data: Path) -> None:
    (data / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 17, and .* comes with PostgreSQL 18"):
        open_embedded(data)
    assert (data / "postgres" / "PG_VERSION").read_text() == "17\n"
    assert not is_running(data)
    (data / "postgres" / "PG_VERSION").write_text("18\n")


def test_something_else_in_the_place_of_the_database_is_refused(place: Path) -> None:
    (place / "data" / "postgres").mkdir(parents=True)
    (place / "data" / "postgres" / "letter.txt").write_text("mine")
    with pytest.raises(EmbeddedError, match="is in the way: it is not a PostgreSQL database"):
        open_embedded(place / "data")
    assert (place / "data" / "postgres" / "letter.txt").read_text() == "mine"


def test_a_link_to_a_missing_database_is_refused(place: Path) -> None:
    (place / "data").mkdir()
    (place / "data" / "postgres").symlink_to(place / "unmounted")
    with pytest.raises(EmbeddedError, match="Bring that folder back"):
        open_embedded(place / "data")
    assert not (place / "unmounted").exists()


def test_a_server_that_cannot_start_shows_its_log_and_leaves_nothing(data: Path) -> None:
    control = data / "postgres" / "global" / "pg_control"
    content = control.read_bytes()
    os.truncate(control, 0)
    with pytest.raises(EmbeddedError, match=r"PostgreSQL ended at once\.[^\n]*\n(?s:.*)pg_control"):
        open_embedded(data)
    control.write_bytes(content)
    assert not is_running(data)
    assert not is_used(data)


def test_a_server_that_is_never_ready_is_stopped(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_server, "SILENT_SECONDS", -1.0)
    with pytest.raises(EmbeddedError, match="did not become ready"):
        open_embedded(data)
    assert not is_running(data)
    assert not is_used(data)


def test_a_start_that_hangs_elsewhere_is_reported(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LOCK_SECONDS", 0.05)
    elsewhere = FileLock(data / "postgres.start.lock")
    assert elsewhere.try_exclusive()
    with pytest.raises(EmbeddedError, match="Another process has been starting or stopping"):
        open_embedded(data)
    elsewhere.close()
    assert not is_running(data)


def test_a_platform_without_the_bundle_is_told_what_to_do(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_bundle, "PACKAGE", "no_such_package")
    with pytest.raises(EmbeddedError, match="set NICOBAR_DATABASE_URL"):
        open_embedded(place / "data")
    assert not (place / "data" / "postgres").exists()
