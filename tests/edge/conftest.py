"""One raw server for the tests of the edge."""

from collections.abc import Iterator

import pytest

from edge.raw import RawServer


@pytest.fixture(scope="module")
def raw_server() -> Iterator[RawServer]:
    """A server with our protocol around an application that remembers."""
    server = RawServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def forgetful(request: pytest.FixtureRequest) -> None:
    """Let the server forget what it saw in the test before."""
    if "raw_server" in request.fixturenames:
        request.getfixturevalue("raw_server").app.seen.clear()
