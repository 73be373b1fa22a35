"""One installation: its PostgreSQL, its port, its business. What every command opens before it does its work."""

import errno
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

from nicobar.clock import SystemClock
from nicobar.flows.create_business import create_business
from nicobar.flows.runtime import Runtime
from nicobar.settings import Settings, without_password
from nicobar.storage.businesses import first_business
from nicobar.storage.database import Database, DatabaseUnavailable
from nicobar.storage.embedded import EmbeddedPostgres, default_data_folder, open_embedded
from nicobar.storage.migrate import migrate

# By SQLSTATE, because PostgreSQL's sentences come in the language of its installation.
_ADVICE: Final = {
    "28P01": "Check the user name and the password.",
    "28000": "Check the user name, and whether pg_hba.conf of that PostgreSQL lets this user in from here.",
    "3D000": "Create the database first, for example with the command createdb, or correct its name in the address.",
    "42501": "Give this user the right to create tables there, for example by making it the owner of the database.",
    "53300": "Close other programs that use it, or raise max_connections of that PostgreSQL.",
    "57P03": "It is starting or stopping; try again in a moment.",
}
_UNREACHABLE: Final = "Check that PostgreSQL runs there and that the address and the port are right."


class InstallationError(Exception):
    """A command cannot start; the message is one sentence on what is wrong, and advice."""


class Postgres:
    """The PostgreSQL of an installation, embedded or external, open for this process until `release`."""

    def __init__(self, settings: Settings) -> None:
        """Open it; the embedded one is created and started when it has to be. Raises EmbeddedError with advice."""
        self.embedded: EmbeddedPostgres | None = None
        if settings.database_url is None:
            self.embedded = open_embedded(data_folder(settings))
            self.dsn = self.embedded.dsn
            self.place = str(self.embedded.data)
        else:
            self.dsn = settings.database_url
            self.place = settings.masked_database_url
        self.notices: tuple[str, ...] = () if self.embedded is None else self.embedded.notices

    def revive(self) -> None:
        """Start the embedded server again if it has died; an external one is not ours to start. Raises EmbeddedError.

        The new use is opened before the old one is given up, so that a server which still runs is not stopped.
        """
        if self.embedded is not None:
            before, self.embedded = self.embedded, open_embedded(self.embedded.data)
            self.dsn = self.embedded.dsn
            before.release()

    def release(self) -> None:
        """Give up our use; the embedded server stops when nobody else uses it. Raises EmbeddedError."""
        if self.embedded is not None:
            self.embedded.release()


def data_folder(settings: Settings) -> Path:
    """Return the folder of the embedded database; with an external one, where the demo keeps its file."""
    return default_data_folder() if settings.data is None else settings.data


@asynccontextmanager
async def open_runtime(postgres: Postgres, settings: Settings, port: int) -> AsyncIterator[Runtime]:
    """Lend a runtime on a database whose schema is up to date. Raises InstallationError or MigrationError."""
    database = Database(postgres.dsn)
    try:
        with explained(settings):
            await migrate(database)
        yield Runtime(database, SystemClock(), settings.base_url(port))
    finally:
        await database.close()


@contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Turn what PostgreSQL says while it is opened into an InstallationError with advice."""
    try:
        yield
    except Exception as error:
        state = getattr(error.__cause__ or error, "sqlstate", None)
        if state is None and not isinstance(error, DatabaseUnavailable):
            raise  # not PostgreSQL's words: a bug of ours, or an error that explains itself
        raise InstallationError(_sentence(settings, str(error), state)) from error


def _sentence(settings: Settings, words: str, state: str | None) -> str:
    words = without_password(words, settings.database_url).rstrip(".")
    if settings.database_url is None:
        log = data_folder(settings) / "postgres.log"
        return f"The embedded PostgreSQL does not work: {words}. Its log may tell why: {log}"
    return f"The database {settings.masked_database_url} cannot be used: {words}. {_ADVICE.get(state or '', _UNREACHABLE)}"


async def own_business(runtime: Runtime, name: str = "My business") -> str:
    """Return the id of the installation's business, which is made on first need. For now there is exactly one."""
    async with runtime.database.read() as read:
        found = await first_business(read)
    return found or await create_business(runtime, name)


def claim_port(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to the address and does not listen yet; port 0 takes a free one.

    Raises InstallationError when the address is not ours to take.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise InstallationError(f"--host {host} cannot be found: {error.strerror}. Try --host 127.0.0.1.") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise port_error(host, port, error) from error
    return listener


def port_error(host: str, port: int, error: OSError) -> InstallationError:
    """Return what to say when a port cannot be listened on."""
    if error.errno == errno.EADDRINUSE:
        return InstallationError(
            f"Port {port} on {host} is taken by {_port_user(port)}. Stop that, or choose another port, for example "
            f"--port {port % 65535 + 1}; --port 0 takes any free one."
        )
    if error.errno == errno.EACCES:
        return InstallationError(
            f"Port {port} on {host} is reserved for the administrator. Choose one above 1023, for example --port 8787."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return InstallationError(
            f"{host} is not an address of this computer. Use --host 127.0.0.1 for this computer alone, or "
            "--host 0.0.0.0 for everyone who can reach it."
        )
    return InstallationError(f"Port {port} on {host} cannot be used: {error.strerror}. Choose another with --port.")


def _port_user(port: int) -> str:
    """Name the process that listens on a TCP port, as far as this system tells (Linux: only processes we may see)."""
    inodes = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with suppress(OSError):
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:  # 0A: it listens
                    inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        with suppress(OSError):  # it has ended, or belongs to somebody else
            if any(os.readlink(descriptor) in inodes for descriptor in (process / "fd").iterdir()):  # noqa: PTH115
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
                return f"the program {name!r} (process {process.name})"
    return "another program"
