"""The life of the embedded PostgreSQL: first start, restart, several users, privacy."""

import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from nicobar.storage.embedded.embedded import binary, open_embedded
from storage.embedded.embedded_probe import (
    AS_SERVER_USER,
    ROOT,
    SERVER_UID,
    first_line,
    is_running,
    is_used,
    keep_a_row,
    leave,
    mode,
    other_process,
    server_pid,
    value,
)

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


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


async def test_the_files_of_the_log_are_small(data: Path) -> None:
    """A commit that begins a new one waits until it is filled with zeros."""
    with open_embedded(data) as postgres:
        assert await value(postgres.dsn, "SHOW wal_segment_size") == "4MB"
        sizes = {file.stat().st_size for file in (data / "postgres" / "pg_wal").iterdir() if file.is_file()}
    assert sizes == {4 * 1024 * 1024}


async def test_a_restart_keeps_the_data(data: Path) -> None:
    with open_embedded(data) as postgres:
        await keep_a_row(postgres.dsn)
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
        opened = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
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


def test_the_database_stays_closed_when_it_is_started_without_our_settings(data: Path) -> None:
    rules = (data / "postgres" / "pg_hba.conf").read_text().splitlines()
    words = [rule.split() for rule in rules if rule and not rule.startswith("#")]
    assert {(rule[0], rule[-1]) for rule in words} == {("local", "trust"), ("host", "reject")}
    command = [str(binary("postgres")), "-D", str(data / "postgres"), "-C"]
    for name, expected in {"listen_addresses": "\n", "unix_socket_permissions": f"{0o700}\n"}.items():
        shown = subprocess.run([*command, name], capture_output=True, text=True, check=True, **AS_SERVER_USER)
        assert shown.stdout == expected
