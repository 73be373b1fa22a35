"""Started as root, a server and a worker go on as the account of the database, and can do all that they have to."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import program
from cli.program import Serving, eventually, new_folder, postmaster
from storage.embedded.embedded_probe import ROOT, SERVER_UID, normal_users_python

pytestmark = pytest.mark.skipif(not ROOT, reason="only root can give its rights up")


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = new_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def everybodys(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Let the program run by a Python that others can read, as an installation outside of root's home has it."""
    monkeypatch.setattr(program, "PROGRAM", [normal_users_python(), "-m", "nicobar"])
    ours = [path for path in sys.path if path.endswith(("site-packages", "src"))]
    return {"PYTHONPATH": os.pathsep.join(ours), "PYTHONDONTWRITEBYTECODE": "1"}


def ids(pid: int) -> tuple[set[int], set[int], list[str]]:
    """Return a process's user ids, group ids and supplementary groups: real, effective, saved and of files."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = {name: values.split() for name, values in re.findall(r"^(Uid|Gid|Groups):(.*)$", status, re.MULTILINE)}
    return {*map(int, found["Uid"])}, {*map(int, found["Gid"])}, found["Groups"]


def owners(data: Path) -> set[int]:
    return {path.stat().st_uid for path in (data, *data.iterdir())}


def test_the_server_gives_root_up_and_serves(folder: Path, everybodys: dict[str, str]) -> None:
    data = folder / "data"
    serving = Serving("--data", data, "--demo", **everybodys)
    try:
        serving.ready()
        account = (data / "postgres").stat().st_uid
        assert account != 0
        uids, gids, groups = ids(serving.process.pid)
        assert (uids, 0 in gids, groups) == ({account}, False, [])
        assert "Continuing as the user" in serving.banner + serving.log
        assert owners(data) == {account}
        for page in ("/health", "/health/live", "/docs", "/openapi.json"):
            assert fetched(f"{serving.base_url}{page}").startswith(b"HTTP/1.1 200")
        pid = postmaster(data)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: postmaster(data) not in (None, pid))
        eventually(lambda: fetched(f"{serving.base_url}/health").startswith(b"HTTP/1.1 200"))
        assert serving.stop() == 0
        assert postmaster(data) is None
        assert "Traceback" not in serving.log
    finally:
        serving.close()
    again = Serving("--data", data, **everybodys)
    try:
        assert ids(again.ready().process.pid)[0] == {account}
        assert again.stop() == 0
    finally:
        again.close()


def fetched(url: str) -> bytes:
    return subprocess.run(["curl", "-si", "--max-time", "10", url], capture_output=True, check=False).stdout


def test_the_folder_of_a_normal_user_decides(folder: Path, everybodys: dict[str, str]) -> None:
    data = folder / "data"
    data.mkdir(mode=0o700)
    os.chown(data, SERVER_UID, SERVER_UID)
    serving = Serving("--data", data, **everybodys)
    try:
        assert ids(serving.ready().process.pid)[0] == {SERVER_UID}
        assert owners(data) == {SERVER_UID}
        assert serving.stop() == 0
    finally:
        serving.close()


def test_where_the_account_may_not_enter_root_stays_and_says_so(folder: Path, everybodys: dict[str, str]) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    serving = Serving("--data", private / "data", **everybodys)
    try:
        assert ids(serving.ready().process.pid)[0] == {0}
        told = f"may not enter {private / 'data'}. Start it as a normal user."
        assert told in serving.banner + serving.log
        assert serving.stop() == 0
    finally:
        serving.close()
    cluster = (private / "data" / "postgres").readlink()
    shutil.rmtree(cluster)


def test_a_worker_gives_root_up(folder: Path, everybodys: dict[str, str]) -> None:
    data = folder / "data"
    made = program.run("keys", "create", "--data", data, **everybodys)
    assert made.returncode == 0, made.stderr
    environment = program.environment(**everybodys)
    command = [*program.PROGRAM, "worker", "--data", str(data)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as worker:
        eventually(lambda: ids(worker.pid)[0] == {(data / "postgres").stat().st_uid})
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=30)
    assert (worker.returncode, "Traceback" in err) == (0, False), err
    assert "Continuing as the user" in out + err
