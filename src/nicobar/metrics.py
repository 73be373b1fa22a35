"""Numbers for Prometheus. They are counted only while `program/ports.py` shows them.

No label names a payment, a customer, a business or a key: routes are labelled by their pattern. The library is imported
on first need, because it takes as long as a third of a start.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

MEASURED_SECONDS: Final = 15.0
"""How often what has to be asked for is asked for: once for each time that Prometheus usually comes."""

_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds: from a payment that is created to one that waits for a bank."""

_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class Metrics:
    """The numbers of one process."""

    def __init__(self, registry: "CollectorRegistry") -> None:
        from prometheus_client import Gauge, Histogram

        self.requests = Histogram(
            "nicobar_request_seconds",
            "Seconds that requests took, by method, pattern of the path, and status",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self.ready = Gauge("nicobar_ready", "1 while payments can be taken, else 0", registry=registry)
        self.jobs = Gauge("nicobar_jobs_waiting", "Jobs that could run by now", registry=registry)
        self.oldest_job = Gauge(
            "nicobar_oldest_job_seconds", "Seconds that the oldest waiting job has waited", registry=registry
        )
        self.connections = Gauge(
            "nicobar_database_connections", "Connections to PostgreSQL", ("state",), registry=registry
        )


_counting: list[Metrics] = []
"""The metrics of this process, while they are exposed."""


def observe_request(scope: Mapping[str, Any], status: int, seconds: float) -> None:
    """Count a request, if anybody wants to know."""
    if not _counting:
        return
    method = scope["method"] if scope["method"] in _METHODS else "other"
    route = getattr(scope.get("route"), "path", "none")
    _counting[0].requests.labels(method, route, str(status)).observe(seconds)


def current() -> Metrics | None:
    """Return the metrics that are exposed; None when none are."""
    return _counting[0] if _counting else None


@contextmanager
def counting(registry: "CollectorRegistry") -> Iterator[None]:
    """Count while the block runs, for whoever reads the registry."""
    _counting.append(Metrics(registry))
    try:
        yield
    finally:
        _counting.clear()
