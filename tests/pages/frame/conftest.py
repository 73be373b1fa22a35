"""A shop whose page has the official script, and a browser that finds our server at the script's host."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from nicobar.app import create_app
from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from orders import with_processors
from pages.browsing import free_socket, launched, make_certificate, package_file, port_of, serving
from pages.frames import HOST, allow
from pages.official_script import Shop, Tls


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    with free_socket() as listening:
        yield Tls(listening, make_certificate(tmp_path_factory.mktemp("tls"), HOST))


@pytest_asyncio.fixture(scope="module")
async def mapped(tls: Tls) -> AsyncIterator[Browser]:
    """A browser that finds our server at the script's host, and nothing at any other host of the hosted service."""
    rules = f"MAP {HOST}:443 127.0.0.1:{port_of(tls.listening)}, MAP *.dodopayments.com ~NOTFOUND"
    async with launched(f"--host-resolver-rules={rules}") as browser:
        yield browser


@pytest_asyncio.fixture
async def hosted(runtime: Runtime, tls: Tls) -> AsyncIterator[Runtime]:
    runtime = with_processors(runtime._replace(public_url=f"https://{HOST}"))
    async with serving(create_app(runtime), tls.listening, tls.certificate):
        yield runtime


@pytest_asyncio.fixture
async def shop(hosted: Runtime, tenant: Tenant) -> AsyncIterator[Shop]:
    listening = free_socket()
    origin = f"http://127.0.0.1:{port_of(listening)}"
    thanked: list[dict[str, str]] = []

    async def page(_request: Request) -> Response:
        return HTMLResponse(
            '<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,">'
            '<script src="/checkout.js"></script><h1>Shop</h1><div id="here"></div>'
        )

    async def script(_request: Request) -> Response:
        return Response(package_file("dodopayments-checkout/dist/index.js"), media_type="text/javascript")

    async def thanks(request: Request) -> Response:
        thanked.append(dict(request.query_params))
        return HTMLResponse('<!doctype html><html lang="en"><title>Shop</title><h1>Thank you</h1>')

    routes = [Route("/", page), Route("/checkout.js", script), Route("/thanks", thanks)]
    await allow(hosted, tenant, origin)
    async with serving(Starlette(routes=routes), listening):
        yield Shop(origin, thanked)
    listening.close()
