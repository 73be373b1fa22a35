"""A server with the simulator, a browser without scripts to visit its pages, and a real one."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser
from starlette.types import ASGIApp

from harness import PUBLIC_URL, FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from orders import with_processors
from pages.browsing import launched
from pages.visited import Site


@pytest_asyncio.fixture
async def runtime(runtime: Runtime) -> Runtime:
    """The test's runtime, with the simulator."""
    return with_processors(runtime)


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


@pytest_asyncio.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The one Chromium of this process. Each test opens windows of its own, which share nothing."""
    async with launched() as browser:
        yield browser
