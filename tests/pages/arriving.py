"""The website of a shop, on an origin of its own, where customers arrive after a page of ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from pages.browsing import free_socket, port_of, serving


class Merchant(NamedTuple):
    """A shop on another origin, and the queries with which customers arrived."""

    url: str
    arrivals: list[dict[str, str]]


@asynccontextmanager
async def receiving() -> AsyncIterator[Merchant]:
    """Serve a shop that sends arriving customers on to another host name, as shops do."""
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
