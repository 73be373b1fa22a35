"""A proxy that loses answers, in front of the server that SDKs ask."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from api.retries.losing_proxy import LosingProxy
from harness import Server


@pytest.fixture
def proxy(server: Server) -> Iterator[LosingProxy]:
    port = urlsplit(server.base_url).port
    assert port is not None
    proxy = LosingProxy(port)
    proxy.begin()
    yield proxy
    proxy.stop()
