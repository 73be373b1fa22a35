"""The official library, in this process and over a socket."""

from collections.abc import AsyncIterator, Iterator

import dodopayments
import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import Merchant, Server


@pytest_asyncio.fixture
async def sdk(app: ASGIApp, merchant: Merchant) -> AsyncIterator[dodopayments.AsyncDodoPayments]:
    """The library, which calls the application in this process and checks every answer by its own types."""
    async with dodopayments.AsyncDodoPayments(
        bearer_token=merchant.key,
        base_url="http://nicobar.test",
        http_client=httpx.AsyncClient(transport=httpx.ASGITransport(app)),
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


@pytest.fixture
def client(server: Server) -> Iterator[dodopayments.DodoPayments]:
    """The library for programs without an event loop, at a real server."""
    with dodopayments.DodoPayments(
        bearer_token=server.key, base_url=server.base_url, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client
