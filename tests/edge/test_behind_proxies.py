"""Behind a proxy that keeps its connections, a stranger's bytes never become a part of somebody else's request.

Each case goes through the proxy as a stranger sends it. Then a merchant sends a request, which the proxy puts on the
connection that the stranger's request came on: it has to arrive as it is, and its answer has to be its own.
"""

import json
import os
from collections.abc import Iterator

import pytest

from edge.corpus import ALL, SWITCHING, Case
from edge.proxies import NAMES, Proxy, is_installed
from edge.raw import RawServer, exchange, statuses

HONEST = (
    b"POST /honest HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\nContent-Length: 6\r\n"
    b"Connection: close\r\n\r\nhonest"
)


CASES = ALL if os.environ.get("NICOBAR_EDGE_ALL") else SWITCHING + ALL[::6]
"""`NICOBAR_EDGE_ALL=1` sends all of them, which takes half a minute."""


@pytest.fixture(scope="module", params=NAMES)
def proxy(
    request: pytest.FixtureRequest, raw_server: RawServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """Each proxy that is installed; `make setup` as root installs nginx and HAProxy, and Caddy where Debian has it."""
    if not is_installed(request.param):
        pytest.skip(f"{request.param} is not installed: apt-get install {request.param}")
    started = Proxy(request.param, tmp_path_factory.mktemp(request.param), raw_server.port)
    yield started
    started.stop()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_stranger_does_not_touch_the_next_request(proxy: Proxy, raw_server: RawServer, case: Case) -> None:
    exchange(proxy.port, case.raw, patience=0.15)
    before = list(raw_server.app.seen)
    answer = exchange(proxy.port, HONEST)
    assert statuses(answer) == [200]
    body = answer.partition(b"\r\n\r\n")[2]
    told = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])
    assert told == {"method": "POST", "path": "/honest", "body": "honest"}
    assert [seen for seen in raw_server.app.seen if seen[1] == "/honest"] == [("POST", "/honest", b"honest")]
    assert all(b"Bearer" not in seen for _, _, seen in before), "nobody's key is in a stranger's body"
