"""The embedded database: a PostgreSQL server of our own that needs no installation and no settings.

It lives in a data folder: ``postgres/`` is the database cluster (or a link to it), ``postgres.log`` the server's log,
``*.lock`` coordinate the processes that use it. Several processes may open the same folder. The first one starts
the server, the last one stops it; a server that was left over because its last user was killed is taken over by the
next. The server has no network address, and its socket lies in a folder that only its owner can enter.

See server.py for the server process, system_user.py for what is special when we run as root.
"""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from nicobar.storage.embedded.bundle import POSTGRES_MAJOR, EmbeddedError, SystemUser, binary, run_program
from nicobar.storage.embedded.server import (
    LOCK_SECONDS,
    PORT,
    FileLock,
    Postmaster,
    find_running,
    start_server,
    stop_server,
    wait_until,
)
from nicobar.storage.embedded.system_user import (
    ROOT_FOLDER,
    account_of,
    can_enter,
    is_root,
    new_account,
    place_outside,
    prepare_folder,
    reachable_programs,
)

__all__ = ["EmbeddedError", "EmbeddedPostgres", "binary", "default_data_folder", "open_embedded"]

DATABASE = "nicobar"
SUPERUSER = "postgres"

# No password is asked, because the only way in is a socket in a folder that is closed to others. It stays the only
# one when a person starts the server by hand, without the settings that we give at each start.
CLOSED = ("--auth-local=trust", "--auth-host=reject", "-c", "listen_addresses=", "-c", "unix_socket_permissions=0700")

WAL_SEGMENT_MIB = 4
"""The size of a file of the write-ahead log. A new one is filled with zeros first, and every commit waits for that: a
few milliseconds, and some fifteen with PostgreSQL's own 16 MiB."""

_START_LOCK = "postgres.start.lock"  # held alone, shortly, by who starts or stops the server
_USE_LOCK = "postgres.use.lock"  # held together by all who use the server
_RUN_LOCK = "postgres.run.lock"  # held by the server itself


@dataclass(frozen=True, eq=False)
class EmbeddedPostgres:
    """Our use of a running embedded server; also a context manager, which releases it at its end.

    ``dsn`` is the address for asyncpg and for PostgreSQL's own programs. ``data`` is the data folder. ``notices`` are
    sentences for the user about things that were changed on this computer; usually there are none.
    """

    dsn: str
    data: Path
    notices: tuple[str, ...]
    _use: FileLock = field(repr=False)

    def release(self) -> None:
        """Give up our use, and stop the server when nobody else uses it; a second call does nothing.

        Returns when the server has ended. Raises EmbeddedError when it does not stop within about 40 seconds, or when
        another process has been starting or stopping it for a minute; our use is given up in any case.
        """
        if self._use.descriptor < 0:
            return
        try:
            with _explained(self.data), _start_lock(self.data):
                _leave(self.data, self._use)
        finally:
            self._use.close()

    def leave_to_parent(self) -> None:
        """Forget this use in a process that inherited it by a fork; it stays the parent's."""
        self._use.close()

    def __enter__(self) -> Self:
        """Return this use."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release this use."""
        self.release()


def default_data_folder() -> Path:
    """Return the data folder to use when none is chosen, after the XDG base directory specification.

    Root's is /var/lib/nicobar: its home folder is private, and the system user that runs PostgreSQL cannot enter it.
    """
    if sys.platform != "win32" and is_root():
        return ROOT_FOLDER
    chosen = os.environ.get("XDG_DATA_HOME", "")
    try:
        base = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".local" / "share"
    except RuntimeError:
        raise EmbeddedError("This user has no home folder, so the data folder has to be chosen explicitly.") from None
    return base / "nicobar"


def open_embedded(data: Path) -> EmbeddedPostgres:
    """Return our use of the server in a data folder: created, started or joined, whatever it needs.

    Blocks for some milliseconds when the server runs, and for about a second when the database has to be created.
    Raises EmbeddedError with advice for a person; then nothing is left running that would not run otherwise.
    """
    if sys.platform == "win32":
        raise EmbeddedError("The embedded PostgreSQL does not run on Windows. Set NICOBAR_DATABASE_URL instead.")
    data = data.absolute()
    notices: list[str] = []
    with _explained(data):
        prepare_folder(data)
        with _start_lock(data):
            use = FileLock(data / _USE_LOCK)
            try:
                _take(use.try_shared, data)
                server = _server(data, notices)
            except BaseException:
                with suppress(EmbeddedError):  # The first error is the one that helps.
                    _leave(data, use)
                raise
    folder = quote(str(server.socket_folder))
    dsn = f"postgresql://{SUPERUSER}@/{DATABASE}?host={folder}&port={PORT}"
    return EmbeddedPostgres(dsn=dsn, data=data, notices=tuple(notices), _use=use)


@contextmanager
def _start_lock(data: Path) -> Iterator[None]:
    lock = FileLock(data / _START_LOCK)
    try:
        _take(lock.try_exclusive, data)
        yield
    finally:
        lock.close()


def _take(attempt: Callable[[], bool], data: Path) -> None:
    if not wait_until(attempt, LOCK_SECONDS):
        raise EmbeddedError(
            f"Another process has been starting or stopping the database in {data} for {LOCK_SECONDS:.0f} seconds. "
            f"Wait for it and try again; {data / 'postgres.log'} tells what it is doing."
        )


def _leave(data: Path, use: FileLock) -> None:
    """Give up a use while holding the start lock: the last one out stops the server."""
    try:
        if use.try_exclusive():
            stop_server(_real(data), data / _RUN_LOCK)
    finally:
        use.close()


def _real(data: Path) -> Path:
    """Return the cluster folder itself where ``postgres`` in the data folder is a link to it."""
    return Path(os.path.realpath(data / "postgres"))


def _server(data: Path, notices: list[str]) -> Postmaster:
    log = data / "postgres.log"
    running = FileLock(data / _RUN_LOCK)
    try:
        if server := find_running(_real(data), running, log):
            return server
        exists = _cluster_exists(data)
        account = account_of(_real(data)) if exists else new_account(notices, data)
        programs = reachable_programs(account, notices)
        if not exists:
            _create(_place(data, account, notices), data, programs, account, running)
        return start_server(_real(data), programs, account, running, log)
    finally:
        running.close()


def _cluster_exists(data: Path) -> bool:
    """Return whether there is a database already; raise EmbeddedError when there is something that we cannot use."""
    entry = data / "postgres"
    cluster = _real(data)
    if entry.is_symlink() and not cluster.exists():
        raise EmbeddedError(
            f"{entry} points to {cluster}, where the database should be, but nothing is there. Bring that "
            f"folder back, or remove the link to begin with an empty database."
        )
    if not cluster.exists() or (not entry.is_symlink() and cluster.is_dir() and not any(cluster.iterdir())):
        return False
    version = cluster / "PG_VERSION"
    found = version.read_text().strip() if version.is_file() else ""
    if not found:
        raise EmbeddedError(
            f"{cluster} is in the way: it is not a PostgreSQL database. Move it elsewhere and start again."
        )
    if found != POSTGRES_MAJOR:
        raise EmbeddedError(
            f"The database in {cluster} was made by PostgreSQL {found}, and this version of Nicobar comes with "
            f"PostgreSQL {POSTGRES_MAJOR}. Save it with pg_dump of the version that made it, start Nicobar with a new "
            f"data folder, and load it there with psql."
        )
    return True


def _place(data: Path, account: SystemUser, notices: list[str]) -> Path:
    """Return where the new cluster goes: into the data folder, or outside when its account cannot enter that."""
    inside = data / "postgres"
    if account.uid is None or can_enter(account, data):
        return inside
    outside = place_outside(account)
    notices.append(
        f"The database lies in {outside}, and {inside} points there: PostgreSQL is run by {account.name}, who may not "
        f"enter {data}. No permission of existing folders was changed. Back up both folders."
    )
    return outside


def _create(cluster: Path, data: Path, programs: Path, account: SystemUser, running: FileLock) -> None:
    """Create a cluster with our database in it, all at once: an interrupted creation leaves only a draft behind."""
    inside = cluster.parent == data
    # Outside, the draft is named after the data folder, so that only its own next start clears it away.
    mark = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    draft = cluster.with_name("postgres.new" if inside else f"new-{mark}")
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700)
    account.own(draft)
    initdb: list[str | Path]
    initdb = [programs / "bin" / "initdb", "-D", draft, "-U", SUPERUSER, "--locale=C", "--encoding=UTF8"]
    single: list[str | Path]
    single = [programs / "bin" / "postgres", "--single", "-D", draft, "-c", "exit_on_error=on", "postgres"]
    held = (running.descriptor,)
    try:
        size = f"--wal-segsize={WAL_SEGMENT_MIB}"
        _step([*initdb, "--data-checksums", size, "--no-instructions", *CLOSED], account, "", held)
        _step(single, account, f"CREATE DATABASE {DATABASE};\n", held)
        draft.rename(cluster)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    _sync(cluster.parent)
    if not inside:
        (data / "postgres").symlink_to(cluster)
        _sync(data)


def _step(command: Sequence[str | Path], account: SystemUser, text: str, held: Sequence[int]) -> None:
    done = run_program(command, account, text=text, keep_open=held)
    if done.returncode != 0:
        shown = "\n".join(done.stdout.splitlines()[-10:])
        full = os.strerror(errno.ENOSPC) in shown
        advice = "The disk is full; make room on it" if full else "These lines say why; mend that"
        raise EmbeddedError(f"PostgreSQL could not create the database. {advice} and start again.\n{shown}")


def _sync(folder: Path) -> None:
    """Make renames and links in a folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _explained(data: Path) -> Iterator[None]:
    """Turn an error of the operating system into one sentence about the data folder and one of advice."""
    try:
        yield
    except subprocess.TimeoutExpired as error:
        raise EmbeddedError(
            f"A program of PostgreSQL did not end within {error.timeout:.0f} seconds: {error.cmd}"
        ) from error
    except OSError as error:
        where = error.filename or data
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = f"The disk of {data} is full. Make room on it and start again."
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            advice = (
                f"The data folder {data} cannot be used by this user: {error.strerror} at {where}. "
                f"Choose a folder that this user may write to, or give this one to the user."
            )
        elif error.errno in (errno.ENOTDIR, errno.EEXIST):
            advice = (
                f"The data folder {data} cannot be made: {where} is in the way and is no folder. Choose another path."
            )
        else:
            advice = f"The data folder {data} cannot be used: {error.strerror} at {where}. Choose another folder."
        raise EmbeddedError(advice) from error
