"""One PostgreSQL server process: is it running, start it, wait until it is ready, stop it.

A lock, and not a process id, shows whether a server runs. The server inherits a locked file from us, and so do all its
children, so the kernel frees that lock exactly when the last of them has ended: after a crash, too, and when the id in
the server's own file has meanwhile been given to another program.
"""

import errno
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nicobar.storage.embedded.bundle import EmbeddedError, SystemUser, clean_environment

if sys.platform != "win32":
    import fcntl

POLL_SECONDS = 0.005
LOCK_SECONDS = 60.0
# A server that recovers from a crash may need longer than this, and says so in its log: it is given up when it
# has said nothing for the first time span, or when it is still not ready after the second.
SILENT_SECONDS = 30.0
START_SECONDS = 600.0
FAST_STOP_SECONDS = 30.0
IMMEDIATE_STOP_SECONDS = 10.0
LOG_BYTES = 10_000_000
LOG_LINES_SHOWN = 10

PORT = 5432
SOCKET_NAME = f".s.PGSQL.{PORT}"
SOCKET_PATH_BYTES = 103  # 107 on Linux, 103 on macOS
SHORT_FOLDER = Path("/tmp")  # noqa: S108 - only folders with random names and mode 0700 are made in it

# Given on the command line, so that every start of every Nicobar version has exactly these. There is no network
# address, and nobody but the owner may use the socket: this is what makes a server without passwords safe. Durability
# is never traded. The bundle is built without lz4, therefore no wal_compression.
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "min_wal_size": "80MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_min_messages": "warning",
    "log_checkpoints": "off",  # an entry every five minutes would fill the log for nothing
    "log_error_verbosity": "terse",  # the details of an error quote customers' data
}

_children: dict[int, subprocess.Popen[bytes]] = {}


class FileLock:
    """An advisory lock on a file, which the kernel frees when the last process that holds it has ended."""

    def __init__(self, path: Path) -> None:
        folder = path.parent.stat()
        self.descriptor = open_private(path, os.O_RDWR, folder.st_uid, folder.st_gid)

    def try_exclusive(self) -> bool:
        """Take the lock alone, if nobody else has it in any form; return whether we have it now."""
        return self._try(fcntl.LOCK_EX)

    def try_shared(self) -> bool:
        """Take the lock together with others, if nobody has it alone; return whether we have it now."""
        return self._try(fcntl.LOCK_SH)

    def _try(self, how: int) -> bool:
        try:
            fcntl.flock(self.descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Give up our hold; a process that inherited the descriptor keeps the lock."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


@dataclass(frozen=True)
class Postmaster:
    """What a server says about itself in its ``postmaster.pid``."""

    pid: int
    socket_folder: Path
    status: str
    owner: int  # the user id that owns the cluster, and therefore runs the server


def open_private(path: Path, flags: int, uid: int | None, gid: int | None) -> int:
    """Open a file of ours, made with mode 0600 when missing, and return its descriptor; raises OSError.

    As root a new file is given to the user and group, if they are passed. A symbolic link is refused, because the
    folder may belong to somebody who would like root to open something else.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    found = os.fstat(descriptor)
    new = found.st_uid == 0 and found.st_nlink == 1 and stat.S_ISREG(found.st_mode)
    if new and uid is not None and gid is not None and os.geteuid() == 0:
        os.fchown(descriptor, uid, gid)
    return descriptor


def wait_until(happened: Callable[[], bool], seconds: float) -> bool:
    """Ask every few milliseconds until the answer is yes, and return True; return False after some seconds."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def read_postmaster(cluster: Path) -> Postmaster | None:
    """Read the server's ``postmaster.pid``; None when there is none or when it is not completely written."""
    try:
        lines = (cluster / "postmaster.pid").read_text(errors="surrogateescape").splitlines()
        status = lines[7].strip() if len(lines) > 7 else "starting"
        return Postmaster(int(lines[0]), Path(lines[4]), status, cluster.stat().st_uid)
    except (FileNotFoundError, ValueError, IndexError):
        return None


def answers(server: Postmaster, *, here: bool = False) -> bool:
    """Return whether the process named in ``postmaster.pid`` really listens at its socket.

    The kernel tells who listens, so a process id that was given to another program does not count, and root cannot be
    led to stop a process of somebody else. A listener in another container shows no id; it can be used, but it does
    not count as ``here``, where it could be stopped.
    """
    if not server.socket_folder.is_absolute():  # It has no socket.
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(server.socket_folder / SOCKET_NAME))
            if not hasattr(socket, "SO_PEERCRED"):  # macOS
                return True
            credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return False
    (listener, owner, _) = struct.unpack("3i", credentials)
    return owner == server.owner and (listener == server.pid or (listener == 0 and not here))


def find_running(cluster: Path, running: FileLock, log: Path) -> Postmaster | None:
    """Return the server that runs on a cluster once it is ready; None, holding the lock alone, when there is none.

    Waits for a server that is starting or ending, or for an interrupted creation of the database that still goes
    on. Raises EmbeddedError when nothing changes for half a minute.
    """
    patience = _Patience(log)
    while not running.try_exclusive():
        server = read_postmaster(cluster)
        if server is not None and server.status == "ready" and answers(server):
            return server
        if patience.is_over():
            raise EmbeddedError(
                f"A PostgreSQL server holds {cluster} but cannot be used: it neither becomes ready nor ends, or its "
                f"socket cannot be reached from here. Stop the process that uses this folder, then start again. "
                f"The last lines of {log}:\n{last_lines(log)}"
            )
        time.sleep(POLL_SECONDS)
    server = read_postmaster(cluster)  # A server that a person started by hand does not hold our lock.
    return server if server is not None and answers(server) else None


class _Patience:
    """Decides when to stop waiting for a server: when its log stands still, and in any case after a while."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._size = -1
        self._end = time.monotonic() + START_SECONDS
        self._silent = 0.0

    def is_over(self) -> bool:
        """Return whether the time is up."""
        now = time.monotonic()
        size = self._log.stat().st_size if self._log.exists() else 0
        if size != self._size:
            self._size, self._silent = size, now + SILENT_SECONDS
        return now > min(self._silent, self._end)


def last_lines(log: Path, since: int = 0) -> str:
    """Return the last lines of a log, of those that were written after the byte ``since``."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(since, log.stat().st_size - 20_000))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-LOG_LINES_SHOWN:])


def start_server(cluster: Path, programs: Path, account: SystemUser, running: FileLock, log: Path) -> Postmaster:
    """Start PostgreSQL on a cluster and return when it is ready; the caller holds the lock ``running`` alone.

    Raises EmbeddedError, with the end of the log, when it ends at once or does not become ready; then no process
    is left.
    """
    (cluster / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)  # Our own lock does its work better.
    folder = _socket_folder(cluster, account)
    child = None
    try:
        output = _open_log(log, account)
        since = log.stat().st_size
        try:
            child = _launch(cluster, programs, account, running, output, folder)
        finally:
            os.close(output)
        return _ready(child, cluster, log, since)
    except BaseException:
        if child is not None:
            _end(child.pid, child.poll)
        _remove_socket_folder(folder, cluster)
        raise


def _launch(
    cluster: Path, programs: Path, account: SystemUser, running: FileLock, output: int, socket_folder: Path
) -> "subprocess.Popen[bytes]":
    command: list[str | Path] = [programs / "bin" / "postgres", "-D", cluster]
    for name, value in (SETTINGS | {"unix_socket_directories": str(socket_folder)}).items():
        command += ["-c", f"{name}={value}"]
    for pid in [pid for pid, child in _children.items() if child.poll() is not None]:
        del _children[pid]  # It has ended by itself.
    child = subprocess.Popen(  # noqa: S603 - the command is made of our own paths, and no shell reads it
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",
        env=clean_environment() | _forget_stale_pid(cluster),
        user=account.uid,
        group=account.gid,
        extra_groups=account.groups,
        pass_fds=(running.descriptor,),
        start_new_session=True,  # Ctrl-C in the terminal must not reach it before our own server has drained.
    )
    _children[child.pid] = child
    return child


def _forget_stale_pid(cluster: Path) -> dict[str, str]:
    """Return the environment that lets PostgreSQL start although a ``postmaster.pid`` was left over.

    PostgreSQL refuses to start when the process id in that file is alive, although another program may have it
    now, which is common in containers. This variable, made for pg_ctl, names one process id that is no server. Its
    second guard, the shared memory of a living server, stays in force. A file without any id, which a power failure
    can leave, guards nothing and is removed.
    """
    path = cluster / "postmaster.pid"
    try:
        return {"PG_GRANDPARENT_PID": str(int(path.read_text(errors="replace").partition("\n")[0]))}
    except FileNotFoundError:
        return {}
    except ValueError:
        path.unlink()
        return {}


def _ready(child: "subprocess.Popen[bytes]", cluster: Path, log: Path, since: int) -> Postmaster:
    patience = _Patience(log)
    while True:
        server = read_postmaster(cluster)
        if server is not None and server.pid == child.pid and server.status == "ready":
            return server
        ended = child.poll() is not None
        if ended or patience.is_over():
            shown = last_lines(log, since)
            if os.strerror(errno.ENOSPC) in shown:
                advice = "The disk is full. Make room on it and start again."
            else:
                advice = "These last lines of its log say why; mend that and start again."
            what = "ended at once" if ended else f"did not become ready within {SILENT_SECONDS:.0f} seconds"
            raise EmbeddedError(f"PostgreSQL {what}. {advice} The log is {log}:\n{shown}")
        time.sleep(POLL_SECONDS)


def stop_server(cluster: Path, running_path: Path) -> None:
    """Stop the server that runs on a cluster, if one does, and return when all its processes have ended.

    Sessions are ended and a checkpoint is written (fast shutdown). After half a minute it is stopped immediately, which
    loses nothing either: the next start recovers. Raises EmbeddedError when it cannot be stopped.
    """
    running = FileLock(running_path)
    try:
        if running.try_exclusive():
            return
        server = read_postmaster(cluster)
        if server is None or not (_is_child(server.pid) or answers(server, here=True)):
            if not wait_until(running.try_exclusive, IMMEDIATE_STOP_SECONDS):  # It may be ending by itself.
                raise EmbeddedError(
                    f"The PostgreSQL server of {cluster} cannot be stopped from here: it does not "
                    "answer, or it runs in another container."
                )
        elif not _end(server.pid, lambda: running.try_exclusive() or None):
            raise EmbeddedError(f"The PostgreSQL server of {cluster} (process {server.pid}) does not stop.")
        if server is not None:
            _remove_socket_folder(server.socket_folder, cluster)
    finally:
        running.close()


def _is_child(pid: int) -> bool:
    return pid in _children and _children[pid].poll() is None


def _end(pid: int, has_ended: Callable[[], object | None]) -> bool:
    """Stop a server, first politely, and return whether it has ended; ``has_ended`` returns None until it has."""
    for how, seconds in ((signal.SIGINT, FAST_STOP_SECONDS), (signal.SIGQUIT, IMMEDIATE_STOP_SECONDS)):
        with suppress(ProcessLookupError):
            os.kill(pid, how)
        if wait_until(lambda: has_ended() is not None, seconds):
            if child := _children.pop(pid, None):
                child.wait()
            return True
    return False


def _open_log(log: Path, account: SystemUser) -> int:
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.rename(log.with_name(f"{log.name}.1"))
    return open_private(log, os.O_WRONLY | os.O_APPEND, account.uid, account.gid)


def _socket_folder(cluster: Path, account: SystemUser) -> Path:
    """Return the folder for the server's socket: the cluster itself, or when its path does not fit a short one.

    A path does not fit when it is too long for the kernel, or when it has characters that split a list of folders.
    The short folder is private (0700) too; other processes find it through ``postmaster.pid``.
    """
    path = str(cluster)
    fits = len(os.fsencode(cluster / SOCKET_NAME)) <= SOCKET_PATH_BYTES
    if fits and path.isprintable() and path == path.strip() and not set(path) & set(',"'):
        return cluster
    folder = Path(tempfile.mkdtemp(prefix="nicobar-", dir=SHORT_FOLDER))
    account.own(folder)
    return folder


def _remove_socket_folder(folder: Path, cluster: Path) -> None:
    if folder != cluster and folder.parent == SHORT_FOLDER:
        with suppress(OSError):  # It is left when something else lies in it.
            folder.rmdir()
