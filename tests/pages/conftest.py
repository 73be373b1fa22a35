"""A server with the simulator, and a browser without scripts to visit its pages."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import PUBLIC_URL, FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.business.create_business import create_business
from nicobar.flows.runtime import Runtime
from orders import with_processors
from pages.visited import Site


@pytest_asyncio.fixture
async def runtime(runtime: Runtime) -> Runtime:
    """The test's runtime, with the simulator."""
    return with_processors(runtime)


@pytest_asyncio.fixture
async def tenant(runtime: Runtime) -> Tenant:
    """A seller in test mode."""
    return Tenant(await create_business(runtime, "Dodo Records"), "test")


@pytest_asyncio.fixture
async def browser(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in English that follows no redirect by itself."""
    headers = {"accept": "text/html,application/xhtml+xml", "accept-language": "en-US,en;q=0.9"}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL, headers=headers) as client:
        yield client


@pytest.fixture
def site(runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock) -> Site:
    return Site(runtime, tenant, browser, clock)
