"""What the tests of the embedded database share: another process that uses it, and looks at the server from outside."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest

from nicobar.storage.embedded.server import FileLock, read_postmaster

ROOT = os.geteuid() == 0
SERVER_USER = "nobody" if ROOT else pwd.getpwuid(os.geteuid()).pw_name
SERVER_UID = pwd.getpwnam(SERVER_USER).pw_uid
SERVER_GID = pwd.getpwnam(SERVER_USER).pw_gid
AS_SERVER_USER: dict[str, Any] = {"cwd": "/"}
if ROOT:
    AS_SERVER_USER |= {"user": SERVER_UID, "group": SERVER_GID, "extra_groups": []}

Process: TypeAlias = "subprocess.Popen[str]"

# Opens the folder, says its address, and stays until its input ends.
USER_PROGRAM = """
import sys
from pathlib import Path
from nicobar.storage.embedded import system_user as embedded_account
embedded_account.SYSTEM_USER = "nobody"
embedded_account.ROOT_FOLDER = Path(sys.argv[2])
from nicobar.storage.embedded.embedded import EmbeddedError, open_embedded
try:
    with open_embedded(Path(sys.argv[1])) as postgres:
        print(postgres.dsn, flush=True)
        sys.stdin.read()
except EmbeddedError as error:
    print("refused:", error, flush=True)
"""


def temporary_place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="nicobar-test-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


async def value(dsn: str, sql: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def keep_a_row(dsn: str) -> None:
    await value(dsn, "DROP TABLE IF EXISTS kept")
    await value(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")


def other_process(data: Path, root_folder: Path, python: str = sys.executable, **options: Any) -> Process:
    command = [python, "-c", USER_PROGRAM, str(data), str(root_folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)


def normal_users_python() -> str:
    """Return a Python that another user can run with our packages; skip the test when there is none.

    The interpreter of the tests may lie in root's private home; then the system's may do.
    """
    candidates = (sys.executable, f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}")
    probe = f"open({__file__!r}); import nicobar.storage.embedded.embedded, asyncpg, pytest"
    for candidate in candidates:
        try:
            subprocess.run([candidate, "-c", probe], check=True, capture_output=True, **normal_users_options())
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    pytest.skip("a normal user cannot read this project or its Python")


def normal_users_options(uid: int = SERVER_UID, gid: int = SERVER_GID) -> dict[str, Any]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if Path(path).is_dir() and "lib-dynload" not in path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return {"user": uid, "group": gid, "extra_groups": [], "cwd": "/", "env": environment}


def first_line(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def leave(process: Process) -> None:
    process.communicate(timeout=30)
    assert process.returncode == 0


def server_pid(data: Path) -> int:
    server = read_postmaster(data / "postgres")
    assert server is not None
    assert server.status == "ready"
    return server.pid


def is_running(data: Path) -> bool:
    """Return whether any process of the server lives: they all hold this lock."""
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
