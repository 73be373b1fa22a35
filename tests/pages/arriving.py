"""A shop of its own at which browsers arrive after paying, and a real server to pay at."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from nicobar.flows.runtime import Runtime
from pages.browsing import free_socket, online, port_of, serving


class Merchant(NamedTuple):
    """A shop on another origin, and the queries with which customers arrived."""

    url: str
    arrivals: list[dict[str, str]]


@pytest_asyncio.fixture
async def site(runtime: Runtime) -> AsyncIterator[Runtime]:
    """A real server, and the runtime that it works with."""
    async with online(runtime) as runtime:
        yield runtime


@pytest_asyncio.fixture
async def merchant() -> AsyncIterator[Merchant]:
    """A shop that sends arriving customers on to another host name, as shops do."""
    listening = free_socket()
    port = port_of(listening)
    arrivals: list[dict[str, str]] = []

    async def arrive(request: Request) -> Response:
        arrivals.append(dict(request.query_params))
        return RedirectResponse(f"http://localhost:{port}/thanks", 302)

    async def thanks(_request: Request) -> Response:
        return HTMLResponse("<!doctype html><title>Shop</title><link rel=icon href='data:,'><h1>Thank you</h1>")

    async with serving(Starlette(routes=[Route("/arrive", arrive), Route("/thanks", thanks)]), listening):
        yield Merchant(f"http://127.0.0.1:{port}/arrive", arrivals)
    listening.close()
