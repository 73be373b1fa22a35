"""The composition root: puts the rooms together into one ASGI application. The only file that knows everyone."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nicobar.api import errors, misc
from nicobar.api.auth import HEADERS, KeyRing
from nicobar.api.catalog import addons, brands, localized_prices, products
from nicobar.api.catalog.images import image_routes
from nicobar.api.customers import customers, portal_sessions
from nicobar.api.discounts import discounts
from nicobar.api.disputes import disputes
from nicobar.api.documentation.reference_page import docs_routes
from nicobar.api.health import health_routes
from nicobar.api.ledger import balances
from nicobar.api.notices.notices import notice_routes
from nicobar.api.payments import payment_methods, payments, saved_methods
from nicobar.api.rate_limits import RateLimits
from nicobar.api.refunds import refunds
from nicobar.api.routing import Operation, Paths, build_routes
from nicobar.api.sessions import checkouts, short_links
from nicobar.api.subscriptions import changes, subscriptions
from nicobar.api.surface import missing_headers, standard_headers
from nicobar.api.test_mode import test_clock
from nicobar.api.webhooks import endpoints, events
from nicobar.client_address import settle_client
from nicobar.core.audit.entry import Actor
from nicobar.core.business.request_rate import RequestRate
from nicobar.core.problems import Problem
from nicobar.core.proxies import TrustedProxies, limit_key, told_client
from nicobar.flows.runtime import Runtime, acting
from nicobar.metrics import observe_request
from nicobar.pages.checkout.routes import page_routes
from nicobar.pages.entry.links import API_WORDS
from nicobar.pages.frame.rendering import Renderer, wants_page
from nicobar.request_id import serving

_log = structlog.get_logger("nicobar.request")

OPERATIONS: Final[list[Operation]] = [
    *payments.OPERATIONS,
    *short_links.OPERATIONS,
    *products.OPERATIONS,
    *localized_prices.OPERATIONS,
    *customers.OPERATIONS,
    *portal_sessions.OPERATIONS,
    *saved_methods.OPERATIONS,
    *payment_methods.OPERATIONS,
    *brands.OPERATIONS,
    *misc.OPERATIONS,
    *discounts.OPERATIONS,
    *disputes.OPERATIONS,
    *checkouts.OPERATIONS,
    *balances.OPERATIONS,
    *refunds.OPERATIONS,
    *endpoints.OPERATIONS,
    *events.OPERATIONS,
    *subscriptions.OPERATIONS,
    *changes.OPERATIONS,
    *addons.OPERATIONS,
    *test_clock.OPERATIONS,
]
"""Every operation of the merchant's API. The first are found first: the hot path leads."""


_TOLD_AS_THEY_ARE: Final = frozenset(operation.path for operation in OPERATIONS if "{" not in operation.path)
"""Paths that have nothing to hide, of which most requests are."""

LONGEST_PATH: Final = 200
"""Characters of a path that are told."""

_API_PATHS: Final = frozenset([*(operation.path[:9] for operation in OPERATIONS), *(f"/{word}" for word in API_WORDS)])
"""Beginnings of the API's paths, some of which are as long as a link's id."""


def create_app(
    runtime: Runtime,
    rate: RequestRate | None = None,
    trusted: TrustedProxies = TrustedProxies(),  # noqa: B008 - frozen
) -> ASGIApp:
    """Return the ASGI application around an open runtime, with a limit on the requests of each key or without one.

    `trusted` proxies are believed for whom they speak.
    """
    limits = None if rate is None else RateLimits(runtime, rate)
    renderer = Renderer(runtime.public_url)
    operations = build_routes(OPERATIONS, runtime, KeyRing(limits))
    routes: list[Route] = [
        *operations,
        *health_routes(runtime),
        Route("/", _home),
        *notice_routes(runtime),
        *image_routes(runtime),
        *docs_routes(runtime, OPERATIONS),
        *page_routes(runtime, renderer),
    ]
    handlers = {**errors.HANDLERS, HTTPException: _show_missing(renderer)}
    return RequestLog(errors.Refusals(Paths(operations, routes), handlers), runtime, trusted)


def _show_missing(renderer: Renderer) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return the handler of what the router refuses: a page for a person, JSON for a program or a word of the API."""

    async def show(request: Request, error: Exception) -> Response:
        unknown = isinstance(error, HTTPException) and error.status_code == 404
        if unknown and wants_page(request) and request.scope["path"].split("/")[1] not in API_WORDS:
            return renderer.problem(request, 404)
        return await errors.on_http_exception(request, error)

    return show


async def _home(_request: Request) -> Response:
    """Send whoever opens the bare address to the documentation."""
    return Response(status_code=307, headers={"location": "docs"})


_LINK: Final = re.compile(r"((?:/overlay|/inline)?/[A-Za-z0-9_-]{2})[A-Za-z0-9_-]{6}(?=\.*(?:/|$))")
"""The id of a link, also with the full stops of a text that cling to it."""

_SESSION: Final = re.compile(r"(/cks_[A-Za-z0-9_-]{2})[A-Za-z0-9_-]+")

_PLAIN: Final = re.compile(
    r"[a-z][a-z0-9._-]{0,39}|[a-z]{2,5}_[A-Za-z0-9_-]{21}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|cks_[A-Za-z0-9_-]{2}\.{3}"
)
"""What may be told of a path: words, ids of objects, and the beginning of a session's. Anything else may be a secret
that came to the wrong place."""


def _told(path: str) -> str:
    """Return a path for the log and for error bodies: of the id of a payment link or a session, which opens its page,
    and of all that is neither a word nor the id of an object, only the beginning."""
    if path in _TOLD_AS_THEY_ARE:
        return path
    shown = path if path[:9] in _API_PATHS else _LINK.sub(r"\1...", path, count=1)
    shown = _SESSION.sub(r"\1...", shown, count=1)
    parts = shown[:LONGEST_PATH].split("/")
    return "/".join(part if len(part) <= 5 or _PLAIN.fullmatch(part) else f"{part[:2]}..." for part in parts)


class RequestLog:
    """Gives each request an id, on the response (`request-id`) and on every log line, and logs one line for it.

    It finds out who asked, for all below: `scope["client"]` is the client's then, and None when nobody can tell. The
    line has the client's address and the id of its key.
    It is the outermost layer, so a bug anywhere below ends here: logged once, answered with 500.
    """

    def __init__(self, app: ASGIApp, runtime: Runtime, trusted: TrustedProxies) -> None:
        self._app = app
        self._runtime = runtime
        self._trusted = trusted
        self._standard = standard_headers(runtime.public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope; anything but HTTP passes untouched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._runtime.new_id("req", self._runtime.real_now())
        client, path = settle_client(scope, self._trusted), _told(scope["path"])
        state = scope.setdefault("state", {})
        state["told_path"] = path
        scope["app"] = self  # makes the router raise its 404 and 405, so that they get our envelope
        status = 0
        started = perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = message["headers"]
                own += [(b"request-id", request_id.encode()), *scope.get(HEADERS, ())]
                own += missing_headers(own, self._standard)
            await send(message)

        named = serving.set(request_id)
        whoever = acting.set(Actor("page", None, limit_key(client)))
        try:
            await self._app(scope, receive, send_with_id)
        except asyncio.CancelledError:
            # The drain at the end of the server has waited long enough for this request.
            if status == 0:
                await errors.broken_off(scope["method"])(scope, receive, send_with_id)
        except Exception as error:  # noqa: BLE001 - the outermost layer: whatever nobody decided becomes a 500
            _log.exception("unexpected_error", path=path, exc_info=error)
            if status == 0:
                problem = Problem("INTERNAL_SERVER_ERROR", request_id=request_id)
                await errors.problem_response(problem)(scope, receive, send_with_id)
        finally:
            acting.reset(whoever)
            seconds = perf_counter() - started
            observe_request(scope, status, seconds)
            milliseconds = round(seconds * 1000, 1)
            who = (("client", told_client(client)), ("key", state.get("key_id")))
            known = {name: value for name, value in who if value}
            _log.info("request", method=scope["method"], path=path, status=status, ms=milliseconds, **known)
            serving.reset(named)
