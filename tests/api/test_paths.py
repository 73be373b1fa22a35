"""`Paths` finds by the first word of a path what Starlette's router finds among all routes."""

from collections.abc import Sequence

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, Router

from harness import client_for
from nicobar.api.routing import Paths

METHODS = ("GET", "POST", "DELETE")


def route(path: str, methods: Sequence[str] = METHODS) -> Route:
    """Return a route that answers with what it is and what it found."""

    async def endpoint(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{path} {sorted(request.path_params.items())}")

    return Route(path, endpoint, methods=list(methods))


EXACT = [route("/payments"), route("/payments/{payment_id}"), route("/payments/{payment_id}/lines")]
ROUTES = [
    *EXACT,
    route("/"),
    route("/{frame}/session/{session_id}", ["GET"]),
    route("/session/{session_id}", ["GET"]),
    route("/{link}", ["GET"]),
    route("/{link}{rest}", ["POST"]),
    route("/pay/{whole:path}"),
    route("/{name}/lines", ["POST"]),
]
PATHS = [
    *("/", "/payments", "/payments/", "/payments/pay_1", "/payments/pay_1/lines", "/payments/lines", "/payments/a/b/c"),
    *("/pay", "/pay/", "/pay/a/b", "/session", "/session/cks_1", "/a/session/cks_1", "/session/session/x"),
    *("/a", "/a/", "/a/lines", "/a/b/c", "/payment", "/payments2", "/pay%2Fa", "/%7Blink%7D", "/pay//a", "/session//x"),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", PATHS)
async def test_it_finds_what_the_router_finds(path: str, method: str) -> None:
    answers = []
    for app in (Paths(EXACT, ROUTES), Router(ROUTES, redirect_slashes=False)):
        async with client_for(app) as client:
            response = await client.request(method, path)
        answers.append((response.status_code, response.text, response.headers.get("allow")))
    assert answers[0] == answers[1]


async def test_the_paths_above_lead_to_every_route() -> None:
    found = set()
    async with client_for(Paths(EXACT, ROUTES)) as client:
        for path in PATHS:
            for method in METHODS:
                found.add((await client.request(method, path)).text.partition(" ")[0])
    assert {route.path for route in ROUTES} == found - {"Not", "Method"}
