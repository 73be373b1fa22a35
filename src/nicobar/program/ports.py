"""The TCP ports of the server and of its metrics: taking them, and saying who has one that is taken."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from nicobar.metrics import counting
from nicobar.program.configuration import DEFAULT_PORT

ACCEPTED_AT_ONCE: Final = 4
"""How many new connections one turn of the event loop takes. Each more costs a system call for a lone newcomer, and
20 MB when two hundred ask without end and take no answers: those of one turn are read before any of them is counted."""

METRICS_HOST: Final = "127.0.0.1"
"""Where Prometheus reads the numbers of `metrics.py`, at `/metrics`."""


class PortError(Exception):
    """The server cannot listen there; the message says why and what would do."""


def claim_port(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to the address and does not listen yet; port 0 takes a free one.

    Raises PortError when the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise PortError(f"The host {host!r} cannot be found: {error.strerror}. Try --host 127.0.0.1.") from error
    listener = socket.socket(family, kind, protocol)
    try:
        # Without this, connections of a server that has just stopped would block its port for a minute.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise port_error(host, port, error) from error
    return listener


def listen(listener: socket.socket, host: str) -> None:
    """Begin to listen. Raises PortError when another program, bound at the same moment, was faster."""
    try:
        listener.listen(2048)
    except OSError as error:
        raise port_error(host, listener.getsockname()[1], error) from error


def accepting(listener: socket.socket) -> list[socket.socket]:
    """Return a listening socket and `ACCEPTED_AT_ONCE` - 1 duplicates, all of which are to be served.

    Of each socket that it listens on, libuv accepts one connection in a turn of the event loop. A turn under load takes
    milliseconds, and clients that come together would wait for one another.
    """
    return [listener, *(listener.dup() for _ in range(ACCEPTED_AT_ONCE - 1))]


def port_error(host: str, port: int, error: OSError, option: str = "--port") -> PortError:
    """Return what to say when a port cannot be listened on; `option` is what chooses another one."""
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else DEFAULT_PORT
        return PortError(
            f"Port {port} on {host} is taken by {_holder(port)}. Stop that, or choose another port, for example "
            + (f"--port {other}; --port 0 takes any free one." if option == "--port" else f"{option}={other}.")
        )
    if error.errno == errno.EACCES:
        return PortError(
            f"Port {port} on {host} needs the rights of an administrator. Choose one above 1023 with {option}."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return PortError(
            f"{host} is not an address of this computer. Use --host 127.0.0.1 to serve this computer alone, or "
            "--host 0.0.0.0 to serve everyone who can reach it."
        )
    return PortError(f"Port {port} on {host} cannot be used: {error.strerror}. Choose another one with {option}.")


def _holder(port: int) -> str:
    """Name the process that listens on a TCP port, where the system tells: Linux does, for processes of our own."""
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


@contextmanager
def exposed(port: int | None) -> Iterator[None]:
    """Answer Prometheus while the block runs, unless there is no port. Raises PortError when the port is taken."""
    if port is None:
        yield
        return
    from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, start_http_server

    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    try:
        server, thread = start_http_server(port, addr=METRICS_HOST, registry=registry)
    except OSError as error:
        raise port_error(METRICS_HOST, port, error, "NICOBAR_METRICS_PORT") from error
    try:
        with counting(registry):
            yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
