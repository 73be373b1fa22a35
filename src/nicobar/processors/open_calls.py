"""How many answers of processors this process waits for, so that a server that stops can say so."""

from collections.abc import Iterator
from contextlib import contextmanager

_open = 0


@contextmanager
def open_call() -> Iterator[None]:
    """Count a call to a processor while the block waits for its answer."""
    global _open
    _open += 1
    try:
        yield
    finally:
        _open -= 1


def open_calls() -> int:
    """Return how many calls wait for their answers, over all databases of the process."""
    return _open
