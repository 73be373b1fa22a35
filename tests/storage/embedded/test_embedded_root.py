"""The embedded PostgreSQL when Nicobar runs as root; at last, all its tests as a normal user."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from nicobar.storage.embedded import bundle as embedded_bundle
from nicobar.storage.embedded import system_user as embedded_account
from nicobar.storage.embedded.embedded import EmbeddedError, open_embedded
from storage.embedded.embedded_probe import (
    ROOT,
    SERVER_GID,
    SERVER_UID,
    first_line,
    is_running,
    keep_a_row,
    leave,
    mode,
    normal_users_options,
    normal_users_python,
    other_process,
    server_pid,
    value,
)

pytestmark = pytest.mark.skipif(not ROOT, reason="only root can give files and processes to another user")


async def test_root_does_not_open_a_private_parent(place: Path, root_files: Path) -> None:
    private = place / "private"
    private.mkdir(mode=0o700)
    data = private / "data"
    before = {path: mode(path) for path in (private, place, place.parent)}
    with open_embedded(data) as postgres:
        await keep_a_row(postgres.dsn)
        cluster = (data / "postgres").readlink()
        (notice,) = postgres.notices
        assert notice.startswith(f"The database lies in {cluster}, and {data / 'postgres'} points there")
        assert cluster.parent == root_files / "clusters"
        assert (mode(root_files), mode(cluster.parent), mode(cluster)) == (0o711, 0o711, 0o700)
        assert (cluster.stat().st_uid, cluster.parent.stat().st_uid) == (SERVER_UID, 0)
    assert {path: mode(path) for path in before} == before
    with open_embedded(data) as postgres:
        assert postgres.notices == ()
        assert await value(postgres.dsn, "SELECT answer FROM kept") == 42
    assert [path.name for path in (root_files / "clusters").iterdir()] == [cluster.name]


@pytest.mark.parametrize(
    ("before", "content", "after"),
    [(0o700, [], 0o711), (0o755, [], 0o711), (0o1777, [], 0o1777), (0o700, ["theirs"], 0o700), (0o755, ["x"], 0o755)],
)
def test_only_an_empty_folder_of_root_gets_another_mode(
    place: Path, before: int, content: list[str], after: int
) -> None:
    data = place / "data"
    data.mkdir()
    for name in content:
        (data / name).write_text("")
    data.chmod(before)
    embedded_account.prepare_folder(data)
    assert mode(data) == after


async def test_root_uses_the_folder_of_a_normal_user_as_that_user(data: Path) -> None:
    for path in (data, *data.glob("*.lock")):
        os.chown(path, SERVER_UID, SERVER_GID)
    data.chmod(0o700)
    for path in (data / "postgres.run.lock", data / "postgres.log"):
        path.unlink()
    with open_embedded(data) as postgres:
        assert await value(postgres.dsn, "SELECT 1") == 1
    assert {path.name: path.stat().st_uid for path in data.iterdir() if path.stat().st_uid != SERVER_UID} == {}
    assert mode(data) == 0o700
    os.chown(data, 0, 0)
    data.chmod(0o711)


def test_a_database_that_belongs_to_root_is_refused(data: Path) -> None:
    os.chown(data / "postgres", 0, 0)
    with pytest.raises(EmbeddedError, match=r"belongs to root, .* chown -R nobody: "):
        open_embedded(data)
    assert not is_running(data)
    os.chown(data / "postgres", SERVER_UID, SERVER_GID)


async def test_programs_in_a_private_folder_are_copied_once(
    data: Path, place: Path, root_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = place / "private"
    private.mkdir(mode=0o700)
    original = embedded_bundle.bundle_folder()
    for name in (original.parent.name, f"{original.parent.name}.libs"):
        (private / name).symlink_to(original.parent.parent / name)
    hidden = private / original.parent.name / original.name
    monkeypatch.setattr(embedded_account, "bundle_folder", lambda: hidden)
    with open_embedded(data) as postgres:
        (notice,) = postgres.notices
        assert notice.startswith("Copied the programs of PostgreSQL to ")
        program = Path(f"/proc/{server_pid(data)}/exe").readlink()
        assert program.is_relative_to(root_files)
        assert await value(postgres.dsn, "SELECT 1") == 1
    with open_embedded(data) as postgres:
        assert postgres.notices == ()
    assert mode(private) == 0o700
    assert [path.name.rpartition("-")[0] for path in root_files.iterdir()] == ["postgresql"]


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("useradd", "--system --no-create-home --shell /sbin/none nicobar"),
        ("adduser", "-S -D -H -s /sbin/none nicobar"),
    ],
)
def test_a_missing_system_user_is_created_without_home_and_shell(
    place: Path, monkeypatch: pytest.MonkeyPatch, program: str, arguments: str
) -> None:
    record = place / "record"
    script = place / program
    script.write_text(f'#!/bin/sh\necho "$@" > {record}\n')
    script.chmod(0o755)
    entry = pwd.getpwnam("nobody")

    def looked_up(name: str) -> pwd.struct_passwd:
        if not record.exists():
            raise KeyError(name)
        return entry

    found = {program: str(script), "nologin": "/sbin/none"}
    monkeypatch.setattr(shutil, "which", lambda name, path: found.get(name))
    monkeypatch.setattr(pwd, "getpwnam", looked_up)
    monkeypatch.setattr(embedded_account, "SYSTEM_USER", "nicobar")
    notices: list[str] = []
    assert embedded_account.new_account(notices, Path("/")).uid == SERVER_UID
    assert record.read_text() == f"{arguments}\n"
    assert notices == ["Created the system user 'nicobar', because PostgreSQL refuses to run as root."]


@pytest.mark.parametrize(
    ("program", "words"),
    [("useradd", r"could not be created \(no room in the table\)"), ("other", "no program to create the user")],
)
def test_a_system_user_that_cannot_be_created_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    script = place / program
    script.write_text('#!/bin/sh\necho "no room in the table"\nexit 1\n')
    script.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name, path: {program: str(script)}.get(name))
    monkeypatch.setattr(embedded_account, "SYSTEM_USER", "nicobar-absent")
    with pytest.raises(EmbeddedError, match=words):
        open_embedded(place / "data")
    assert not (place / "data" / "postgres").exists()


def test_a_user_without_a_name_is_told_what_to_do(place: Path) -> None:
    data = place / "data"
    data.mkdir()
    os.chown(data, 54321, 54321)
    nameless = other_process(data, place, normal_users_python(), **normal_users_options(54321, 54321))
    assert first_line(nameless).startswith("refused: The user id 54321 has no line in /etc/passwd")
    leave(nameless)


def test_the_same_as_a_normal_user(place: Path) -> None:
    project = str(Path(__file__).parents[3])
    pytest_ = [normal_users_python(), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command = [
        *pytest_,
        "--rootdir",
        project,
        "-c",
        f"{project}/pyproject.toml",
        "-k",
        "not creation",
        str(Path(__file__).parent),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **normal_users_options())
    assert done.returncode == 0, done.stdout
