"""Where the embedded database is: unusual paths, the log, default folder and programs."""

import subprocess
from pathlib import Path

import pytest

from nicobar.storage.embedded import embedded
from nicobar.storage.embedded import server as embedded_server
from nicobar.storage.embedded.embedded import EmbeddedError, binary, default_data_folder, open_embedded
from nicobar.storage.embedded.server import read_postmaster
from storage.embedded.embedded_probe import SERVER_UID, first_line, is_running, leave, mode, other_process, value


@pytest.mark.parametrize("name", ["two words ", "100%20+é&?#", "one,two", 'a"b'])
async def test_unusual_characters_in_the_path(data: Path, place: Path, name: str) -> None:
    data = data.rename(place / name)
    with open_embedded(data) as postgres:
        assert await value(postgres.dsn, "SELECT current_database()") == "nicobar"
        shown = subprocess.run([binary("psql"), postgres.dsn, "-Atc", "SELECT 1"], capture_output=True, check=True)
        assert shown.stdout == b"1\n"
    assert not is_running(data)
    data.rename(place / "data")


async def test_a_path_that_is_too_long_for_a_socket(data: Path, place: Path, root_files: Path) -> None:
    data = data.rename(place / ("long" * 30))
    with open_embedded(data) as postgres:
        server = read_postmaster(data / "postgres")
        assert server is not None
        folder = server.socket_folder
        assert folder.parent == place.parent
        assert mode(folder) == 0o700
        assert folder.stat().st_uid == SERVER_UID
        other = other_process(data, root_files)
        assert first_line(other) == postgres.dsn
        leave(other)
        assert await value(postgres.dsn, "SELECT 1") == 1
    assert not folder.exists()
    data.rename(place / "data")


async def test_a_relative_path(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data.parent)
    with open_embedded(Path("data")) as postgres:
        assert postgres.data == data
        assert await value(postgres.dsn, "SELECT 1") == 1


def test_a_large_log_is_set_aside_at_the_start(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_server, "LOG_BYTES", 5)
    (data / "postgres.log").write_text("old lines\n")
    open_embedded(data).release()
    assert (data / "postgres.log.1").read_text() == "old lines\n"
    assert "old lines" not in (data / "postgres.log").read_text()


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg")
    monkeypatch.setenv("HOME", "/srv/someone")
    monkeypatch.setattr(embedded, "is_root", lambda: False)
    assert default_data_folder() == Path("/xdg/nicobar")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_data_folder() == Path("/srv/someone/.local/share/nicobar")
    monkeypatch.setattr(embedded, "is_root", lambda: True)
    assert default_data_folder() == Path("/var/lib/nicobar")


def test_programs_of_the_bundle() -> None:
    for name in ("pgbench", "pg_dump", "psql"):
        shown = subprocess.run([binary(name), "--version"], capture_output=True, text=True, check=True)
        assert shown.stdout.startswith(f"{name} (PostgreSQL) 18.")
    with pytest.raises(EmbeddedError, match="no program called 'pg_nothing'"):
        binary("pg_nothing")
