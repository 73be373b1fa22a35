"""The embedded PostgreSQL: its life, its users, its files, its privacy.

As root the server runs as the account ``nobody``, and the place for root's files is a temporary folder, so that the
tests create no user and leave nothing behind. The last test runs this whole file again as a normal user.
"""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from nicobar.storage import embedded, embedded_account, embedded_bundle, embedded_server
from nicobar.storage.embedded import EmbeddedError, binary, default_data_folder, open_embedded
from nicobar.storage.embedded_server import FileLock, read_postmaster, wait_until

ROOT = os.geteuid() == 0
SERVER_USER = "nobody" if ROOT else pwd.getpwuid(os.geteuid()).pw_name
SERVER_UID = pwd.getpwnam(SERVER_USER).pw_uid
SERVER_GID = pwd.getpwnam(SERVER_USER).pw_gid

only_root = pytest.mark.skipif(not ROOT, reason="only root can give files and processes to another user")
only_normal_user = pytest.mark.skipif(ROOT, reason="nothing is forbidden to root; the normal user's run covers it")
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

# Opens the folder, says its address, and stays until its input ends.
USER_PROGRAM = """
import sys
from pathlib import Path
from nicobar.storage import embedded_account
embedded_account.SYSTEM_USER = "nobody"
embedded_account.ROOT_FOLDER = Path(sys.argv[2])
from nicobar.storage.embedded import EmbeddedError, open_embedded
try:
    with open_embedded(Path(sys.argv[1])) as postgres:
        print(postgres.dsn, flush=True)
        sys.stdin.read()
except EmbeddedError as error:
    print("refused:", error, flush=True)
"""


@pytest.fixture(scope="session")
def session_place() -> Iterator[Path]:
    yield from temporary_place()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users may pass through, unlike pytest's own temporary folders."""
    yield from temporary_place()


def temporary_place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="nicobar-test-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def root_files(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = place / "var-lib-nicobar"
    monkeypatch.setattr(embedded_account, "SYSTEM_USER", "nobody")
    monkeypatch.setattr(embedded_account, "ROOT_FOLDER", folder)
    return folder


@pytest.fixture(scope="session")
def seed(session_place: Path) -> Path:
    """A data folder that was created once; tests copy it, which is faster than creating one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded_account, "SYSTEM_USER", "nobody")
        open_embedded(session_place / "seed").release()
    return session_place / "seed"


@pytest.fixture
def data(place: Path, seed: Path) -> Path:
    """A data folder with a stopped, empty database."""
    return copied(seed, place / "data")


def copied(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", source, target], check=True)
    return target


async def value(dsn: str, sql: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def other_process(data: Path, root_folder: Path, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", USER_PROGRAM, str(data), str(root_folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def leave(process: "subprocess.Popen[str]") -> None:
    process.communicate(timeout=30)
    assert process.returncode == 0


def server_pid(data: Path) -> int:
    server = read_postmaster(data / "postgres")
    assert server is not None
    assert server.status == "ready"
    return server.pid


def is_running(data: Path) -> bool:
    """Say whether any process of the server lives: they all hold this lock."""
    lock = FileLock(data / "postgres.run.lock")
    try:
        return not lock.try_exclusive()
    finally:
        lock.close()


def is_used(data: Path) -> bool:
    lock = FileLock(data / "postgres.use.lock")
    try:
        return not lock.try_exclusive()
    finally:
        lock.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- life ---------------------------------------------------------------------------------------------------------


async def test_the_first_start_creates_a_private_database(place: Path) -> None:
    data = place / "new" / "data"
    with open_embedded(data) as postgres:
        assert postgres.data == data
        assert postgres.notices == ()
        facts = "SELECT array[current_database(), pg_encoding_to_char(encoding), datcollate, datctype] "
        found = await value(postgres.dsn, facts + "FROM pg_database WHERE datname = current_database()")
        assert found == ["nicobar", "UTF8", "C", "C"]
        assert is_running(data)
        pid = server_pid(data)
    assert not is_running(data)
    assert not (data / "postgres" / "postmaster.pid").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert mode(data) == (0o711 if ROOT else 0o700)
    assert mode(data / "postgres") == 0o700
    assert (data / "postgres").stat().st_uid == SERVER_UID
    assert mode(data / "postgres.log") == 0o600
    assert sorted(path.name for path in data.iterdir()) == [
        "postgres",
        "postgres.log",
        "postgres.run.lock",
        "postgres.start.lock",
        "postgres.use.lock",
    ]


async def test_durability_is_on_and_the_network_is_off(data: Path) -> None:
    names = ["fsync", "synchronous_commit", "full_page_writes", "data_checksums", "autovacuum", "jit", "TimeZone"]
    with open_embedded(data) as postgres:
        shown = [await value(postgres.dsn, f"SHOW {name}") for name in [*names, "listen_addresses"]]
    assert shown == ["on", "on", "on", "on", "on", "off", "UTC", ""]


async def test_a_restart_keeps_the_data(data: Path) -> None:
    with open_embedded(data) as postgres:
        await value(postgres.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    with open_embedded(data) as postgres:
        assert await value(postgres.dsn, "SELECT answer FROM kept") == 42


async def test_an_error_inside_the_context_stops_the_server_and_a_second_release_does_nothing(data: Path) -> None:
    with pytest.raises(RuntimeError, match="ours"), open_embedded(data) as postgres:
        raise RuntimeError("ours")
    assert not is_running(data)
    postgres.release()
    assert not is_running(data)


async def test_open_sessions_do_not_hold_up_the_stop(data: Path) -> None:
    postgres = open_embedded(data)
    connection = await asyncpg.connect(postgres.dsn)
    postgres.release()
    assert not is_running(data)
    connection.terminate()


async def test_variables_of_postgres_in_our_environment_change_nothing(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"PGPORT": "6543", "PGHOST": "example.com", "PGDATA": "/nowhere", "PGUSER": "other"}.items():
        monkeypatch.setenv(name, text)
    with open_embedded(data) as postgres:
        assert await value(postgres.dsn, "SELECT current_user || ' ' || current_database()") == "postgres nicobar"


# --- several users ------------------------------------------------------------------------------------------------


async def test_a_second_process_joins_and_the_last_one_out_stops(data: Path, root_files: Path) -> None:
    postgres = open_embedded(data)
    pid = server_pid(data)
    other = other_process(data, root_files)
    assert first_line(other) == postgres.dsn
    postgres.release()
    assert server_pid(data) == pid
    assert await value(postgres.dsn, "SELECT 1") == 1
    leave(other)
    assert not is_running(data)


async def test_two_users_in_one_process(data: Path) -> None:
    first, second = open_embedded(data), open_embedded(data)
    first.release()
    assert await value(second.dsn, "SELECT 1") == 1
    second.release()
    assert not is_running(data)


async def test_the_server_of_a_killed_user_is_taken_over(data: Path, root_files: Path) -> None:
    other = other_process(data, root_files)
    dsn = first_line(other)
    pid = server_pid(data)
    other.kill()
    other.communicate()
    assert not is_used(data)
    with open_embedded(data) as postgres:
        assert postgres.dsn == dsn
        assert server_pid(data) == pid
        assert await value(postgres.dsn, "SELECT 1") == 1
    assert not is_running(data)


async def test_two_first_starts_at_the_same_time_make_one_database(place: Path, root_files: Path) -> None:
    data = place / "data"
    both = [other_process(data, root_files) for _ in range(2)]
    (dsn, same) = [first_line(process) for process in both]
    assert dsn.startswith("postgresql://postgres@/nicobar?host=")
    assert dsn == same
    assert await value(dsn, "SELECT count(*) FROM pg_database WHERE datname = 'nicobar'") == 1
    leave(both[0])
    assert is_running(data)
    leave(both[1])
    assert not is_running(data)


async def test_the_server_is_out_of_reach_of_the_terminals_interrupt(data: Path) -> None:
    with open_embedded(data):
        assert os.getsid(server_pid(data)) == server_pid(data) != os.getsid(0)


# --- what a crash leaves behind -----------------------------------------------------------------------------------


async def crashed(data: Path) -> None:
    """Leave the folder as a power failure does: with a committed row, and the files of a server that is gone."""
    postgres = open_embedded(data)
    await value(postgres.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
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
    account = {"user": SERVER_UID, "group": SERVER_GID, "extra_groups": []} if ROOT else {}
    stranger = subprocess.Popen(["sleep", "60"], cwd="/", **account)
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
    account = {"user": SERVER_UID, "group": SERVER_GID, "extra_groups": []} if ROOT else {}
    command = [binary("postgres"), "-D", data / "postgres", "-h", "", "-k", data / "postgres"]
    by_hand = subprocess.Popen(command, cwd="/", stderr=subprocess.DEVNULL, **account)
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


async def test_a_living_server_without_a_socket_is_never_doubled(data: Path) -> None:
    """Its process id looks left over; PostgreSQL's own guard, the shared memory, has to refuse the second server."""
    account = {"user": SERVER_UID, "group": SERVER_GID, "extra_groups": []} if ROOT else {}
    command = [binary("postgres"), "-D", data / "postgres", "-h", "", "-k", ""]
    by_hand = subprocess.Popen(command, cwd="/", stderr=subprocess.DEVNULL, **account)
    try:
        pid_file = data / "postgres" / "postmaster.pid"
        assert wait_until(lambda: pid_file.exists() and "ready" in pid_file.read_text(), 30)
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
    with pytest.raises(EmbeddedError, match=r"The disk is full\. Make room on it and start again"):
        open_embedded(data)
    assert not is_used(data)
    assert not is_running(data)
    assert sorted(path.name for path in data.iterdir() if path.is_dir()) == []


# --- refusals -----------------------------------------------------------------------------------------------------


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
    os.truncate(data / "postgres" / "global" / "pg_control", 0)
    with pytest.raises(EmbeddedError, match=r"PostgreSQL ended at once\.[^\n]*\n(?s:.*)pg_control"):
        open_embedded(data)
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


# --- paths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["two words ", "100%20+é&?#", "one,two", 'a"b'])
async def test_unusual_characters_in_the_path(place: Path, seed: Path, name: str) -> None:
    data = copied(seed, place / name / "data")
    with open_embedded(data) as postgres:
        assert await value(postgres.dsn, "SELECT current_database()") == "nicobar"
        shown = subprocess.run([binary("psql"), postgres.dsn, "-Atc", "SELECT 1"], capture_output=True, check=True)
        assert shown.stdout == b"1\n"
    assert not is_running(data)


async def test_a_path_that_is_too_long_for_a_socket(place: Path, seed: Path, root_files: Path) -> None:
    data = copied(seed, place / ("long" * 30) / "data")
    with open_embedded(data) as postgres:
        server = read_postmaster(data / "postgres")
        assert server is not None
        folder = server.socket_folder
        assert folder.parent == Path("/tmp")
        assert mode(folder) == 0o700
        assert folder.stat().st_uid == SERVER_UID
        other = other_process(data, root_files)
        assert first_line(other) == postgres.dsn
        leave(other)
        assert await value(postgres.dsn, "SELECT 1") == 1
    assert not folder.exists()


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
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setattr(embedded, "is_root", lambda: False)
    assert default_data_folder() == Path("/xdg/nicobar")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_data_folder() == Path("/home/someone/.local/share/nicobar")
    monkeypatch.setattr(embedded, "is_root", lambda: True)
    assert default_data_folder() == Path("/var/lib/nicobar")


def test_programs_of_the_bundle() -> None:
    for name in ("pgbench", "pg_dump", "psql"):
        shown = subprocess.run([binary(name), "--version"], capture_output=True, text=True, check=True)
        assert shown.stdout.startswith(f"{name} (PostgreSQL) 18.")
    with pytest.raises(EmbeddedError, match="no program called 'pg_nothing'"):
        binary("pg_nothing")


# --- privacy ------------------------------------------------------------------------------------------------------


def listening_tcp_inodes(pid: int) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":  # TCP_LISTEN
                found.add(fields[9])
    return found


@only_linux
def test_no_network_port_is_open(data: Path) -> None:
    with open_embedded(data):
        pid = server_pid(data)
        opened = [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
        sockets = {name.removeprefix("socket:[").rstrip("]") for name in opened if name.startswith("socket:[")}
        assert len(sockets) == 1
        assert sockets & listening_tcp_inodes(pid) == set()


@only_linux
def test_our_environment_is_not_handed_to_the_server(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NICOBAR_TEST_SECRET", "sk_live_secret")
    with open_embedded(data):
        environment = Path(f"/proc/{server_pid(data)}/environ").read_bytes()
    assert b"PATH=" in environment
    assert b"sk_live_secret" not in environment


# --- root ---------------------------------------------------------------------------------------------------------


@only_root
async def test_root_does_not_open_a_private_parent(place: Path, root_files: Path) -> None:
    private = place / "private"
    private.mkdir(mode=0o700)
    data = private / "data"
    before = {path: mode(path) for path in (private, place, place.parent)}
    with open_embedded(data) as postgres:
        assert await value(postgres.dsn, "CREATE TABLE kept AS SELECT 42 AS answer") is None
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


@only_root
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


@only_root
def test_a_folder_of_root_with_things_in_it_stays_closed(place: Path, root_files: Path) -> None:
    data = place / "data"
    data.mkdir(mode=0o700)
    (data / "theirs").write_text("")
    open_embedded(data).release()
    assert mode(data) == 0o700
    assert (data / "postgres").readlink().parent == root_files / "clusters"


@only_root
async def test_root_uses_the_folder_of_a_normal_user_as_that_user(place: Path) -> None:
    data = place / "data"
    data.mkdir(mode=0o700)
    os.chown(data, SERVER_UID, SERVER_GID)
    account = {"user": SERVER_UID, "group": SERVER_GID, "extra_groups": []}
    with_user = other_process(data, place, **account)
    assert first_line(with_user).startswith("postgresql://")
    leave(with_user)
    (data / "postgres.run.lock").unlink()
    with open_embedded(data) as postgres:
        assert await value(postgres.dsn, "SELECT 1") == 1
    assert {path.name: path.stat().st_uid for path in data.iterdir() if path.stat().st_uid != SERVER_UID} == {}
    assert mode(data) == 0o700


@only_root
def test_a_database_that_belongs_to_root_is_refused(data: Path) -> None:
    os.chown(data / "postgres", 0, 0)
    with pytest.raises(EmbeddedError, match=r"belongs to root, .* chown -R nobody: "):
        open_embedded(data)
    assert not is_running(data)


@only_root
async def test_programs_in_a_private_folder_are_copied_once(
    place: Path, seed: Path, root_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = place / "private"
    private.mkdir(mode=0o700)
    original = embedded_bundle.bundle_folder()
    for name in (original.parent.name, f"{original.parent.name}.libs"):
        (private / name).symlink_to(original.parent.parent / name)
    hidden = private / original.parent.name / original.name
    monkeypatch.setattr(embedded_account, "bundle_folder", lambda: hidden)
    data = copied(seed, place / "data")
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


@only_root
def test_the_system_user_is_created_without_home_and_shell(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = place / "record"
    useradd = place / "useradd"
    useradd.write_text(f'#!/bin/sh\necho "$@" > {record}\necho "no space in the table"\nexit 1\n')
    useradd.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    monkeypatch.setattr(embedded_account, "SYSTEM_USER", "nicobar-absent")
    with pytest.raises(EmbeddedError, match=r"'nicobar-absent' could not be created \(no space in the table\)"):
        open_embedded(place / "data")
    shell = shutil.which("nologin", path="/usr/sbin:/sbin:/usr/bin:/bin") or "/bin/false"
    assert record.read_text() == f"--system --no-create-home --shell {shell} nicobar-absent\n"
    assert not (place / "data" / "postgres").exists()


@only_root
def test_a_user_without_a_name_is_told_what_to_do(place: Path) -> None:
    data = place / "data"
    data.mkdir()
    os.chown(data, 54321, 54321)
    nameless = other_process(data, place, user=54321, group=54321, extra_groups=[])
    assert first_line(nameless).startswith("refused: The user id 54321 has no line in /etc/passwd")
    leave(nameless)


@only_root
def test_the_same_as_a_normal_user(place: Path) -> None:
    project = Path(__file__).parents[2]
    account: dict[str, Any] = {"user": SERVER_UID, "group": SERVER_GID, "extra_groups": [], "cwd": "/"}
    probe = [sys.executable, "-c", f"open({str(Path(__file__))!r}); import nicobar, pytest"]
    try:
        reachable = subprocess.run(probe, capture_output=True, check=False, **account).returncode == 0
    except PermissionError:
        reachable = False
    if not reachable:
        pytest.skip("a normal user cannot read this project")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(project), __file__]
    environment = {"PATH": os.environ["PATH"], "HOME": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, **account)
    assert done.returncode == 0, done.stdout
