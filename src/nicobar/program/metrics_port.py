"""A loopback port of its own at which Prometheus reads the numbers of `metrics.py`, at `/metrics`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from nicobar.metrics import counting
from nicobar.program.ports import port_error

HOST: Final = "127.0.0.1"


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
        server, thread = start_http_server(port, addr=HOST, registry=registry)
    except OSError as error:
        raise port_error(HOST, port, error, "NICOBAR_METRICS_PORT") from error
    try:
        with counting(registry):
            yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
