"""Every error leaves through here, in one envelope: `{"code": "UPPER_SNAKE", "message": "..."}`.

The official SDKs retry 408, 409, 429 and everything from 500 on, unless `x-should-retry` says otherwise. A decided
refusal will be the same next time, so each carries `x-should-retry: false`; only that of a request which is still
running will not, and says so.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from nicobar.core.problems import Problem
from nicobar.storage.database import DatabaseUnavailable, ReferenceGone

_log = structlog.get_logger(__name__)

_Handler = Callable[[Request, Exception], Awaitable[Response]]

_RETRYABLE: Final = frozenset({408, 429, 500, 502, 503, 504})


class ErrorEnvelope(msgspec.Struct, frozen=True):
    """The body of every error."""

    code: str
    message: str


def problem_response(problem: Problem) -> Response:
    """Render a refusal."""
    message = problem.message if problem.path is None else f"{problem.path}: {problem.message}"
    body = msgspec.json.encode(ErrorEnvelope(problem.code, message))
    headers = {} if problem.status in _RETRYABLE else {"x-should-retry": "false"}
    if problem.retry_after is not None:
        headers["retry-after"] = str(problem.retry_after)
    if problem.retry_after_ms is not None:
        headers |= {"x-should-retry": "true", "retry-after-ms": str(problem.retry_after_ms)}
    return Response(body, problem.status, headers, "application/json")


def broken_off(method: str) -> Response:
    """Answer 503 to a request that the end of the server has cut off.

    What takes so long waits for a processor, which may have moved the money: a client that sends a charge or a refund
    once more, to the next server, would do it twice. Reads may be repeated.
    """
    response = problem_response(Problem("SERVICE_UNAVAILABLE"))
    if method not in ("GET", "HEAD", "OPTIONS"):
        response.headers["x-should-retry"] = "false"
    return response


async def on_problem(_request: Request, error: Exception) -> Response:
    """Answer a decided refusal."""
    assert isinstance(error, Problem)  # noqa: S101 - the handler is registered for this class alone
    return problem_response(error)


async def on_database_unavailable(request: Request, error: Exception) -> Response:
    """Answer 503 when PostgreSQL is away. Clients may retry: what was committed is found again (decision 0025)."""
    _log.error("database_unavailable", why=str(error), path=request.state.told_path)
    return problem_response(Problem("SERVICE_UNAVAILABLE"))


async def on_reference_gone(request: Request, error: Exception) -> Response:
    """Answer 503 when something went that a request was about to name; asked again, it is found to be missing."""
    _log.error("reference_gone", why=str(error), path=request.state.told_path, exc_info=error)
    return problem_response(Problem("SERVICE_UNAVAILABLE"))


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: no such path (404) or no such method on it (405)."""
    assert isinstance(error, HTTPException)  # noqa: S101 - the handler is registered for this class alone
    if error.status_code == 405:
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        allowed = headers.get("allow", "another method")
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": allowed})
        response = problem_response(Problem("METHOD_NOT_ALLOWED", method=request.method, allowed=allowed))
        response.headers["allow"] = allowed
        return response
    asked = f"{request.method} {request.state.told_path}"
    return problem_response(Problem("NOT_FOUND", message=f"{asked} not found; /docs lists what there is"))


HANDLERS: Final[Mapping[type[Exception], _Handler]] = {
    Problem: on_problem,
    DatabaseUnavailable: on_database_unavailable,
    ReferenceGone: on_reference_gone,
    HTTPException: on_http_exception,
}
"""Who answers by the class of what was raised."""


class Refusals:
    """Answers for an application that raises."""

    def __init__(self, app: ASGIApp, handlers: Mapping[type[Exception], _Handler]) -> None:
        """Take the handlers by the class of what they answer, its subclasses included."""
        self._app = app
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope. Raises what no handler is for."""
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            handler = next((self._handlers[kind] for kind in type(error).__mro__ if kind in self._handlers), None)
            if handler is None:
                raise
            response = await handler(Request(scope, receive), error)
            await response(scope, receive, send)
