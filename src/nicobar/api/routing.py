"""One table of operations makes the routes, the authorisation, the decoding and the OpenAPI document.

A handler is `async def f(call: Call[Body, Query]) -> Answer`. Everything around it happens here once: find the key,
read at most `MAXIMUM_BODY` bytes, decode them into the operation's body type, encode the answer.
"""

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from nicobar.api.allowed_values import explained
from nicobar.api.auth import KeyRing
from nicobar.api.missing_fields import missing_fields
from nicobar.api.retries import Retries, Work, fingerprint, respond
from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.retries.fingerprint import KeptAnswer
from nicobar.flows.business_time.recall_clocks import recall_clocks
from nicobar.flows.runtime import Runtime
from nicobar.wire.common import NoQuery
from nicobar.wire.misnamed import refuse_misnamed

MAXIMUM_BODY: Final = 256 * 1024
"""Bytes of a request body; a cart of 100 lines with full metadata needs about 60 KiB."""

NOBODY: Final = Tenant("", "test")
"""Who calls a public operation: a business that has nothing."""

BodyT = TypeVar("BodyT")
QueryT = TypeVar("QueryT")

HttpMethod = Literal["GET", "POST", "PATCH", "PUT", "DELETE"]


class Call(NamedTuple, Generic[BodyT, QueryT]):
    """One authenticated, decoded request."""

    runtime: Runtime
    tenant: Tenant
    path: dict[str, str]
    """Path parameters by name."""
    body: BodyT
    query: QueryT


class Operation(NamedTuple):
    """One row of the table: how to reach a handler and what goes in and out."""

    method: HttpMethod
    path: str
    handler: Callable[[Call[Any, Any]], Awaitable[Any]]
    response: Any
    """The answer's type; None for an empty answer."""
    body: Any = None
    """The body's type; None where no body is read."""
    query: Any = NoQuery
    summary: str = ""
    problems: tuple[str | tuple[str, int], ...] = ()
    """Catalogue codes that this operation can refuse with, besides the general ones; with a status if not the usual."""
    status: int = 200
    reveals_secret: bool = False
    """Whether it tells, without changing anything, what its reader can act with."""
    is_preview: bool = False
    """Whether it only tells what another operation would do: it is asked with a body, and changes nothing."""
    is_public: bool = False
    """Whether it is answered without a key: it reads, and tells everybody the same."""

    @property
    def writes(self) -> bool:
        """Whether it changes something, and so is carried out once however often the same request comes."""
        return self.method != "GET" and not self.is_preview

    @property
    def needs_write_access(self) -> bool:
        """Whether a key must be allowed to write this class of operations."""
        return self.writes or self.reveals_secret


RouteEndpoint = Callable[[Request], Awaitable[Response]]


def build_routes(operations: list[Operation], runtime: Runtime, keys: KeyRing) -> list[Route]:
    """Turn the table into one route a path, which also answers OPTIONS with 204 and the allowed methods."""
    by_path: dict[str, dict[str, RouteEndpoint]] = {}
    retries = Retries()
    for operation in operations:
        reading = operation.method == "GET"
        endpoint = (
            _reading(operation, runtime, keys) if reading else _writing(operation, runtime, keys, retries, operations)
        )
        by_path.setdefault(operation.path, {})[operation.method] = endpoint
    return [_route(path, endpoints) for path, endpoints in by_path.items()]


class Paths:
    """Finds the routes of paths without parameters by one look-up, and all others among those with their first word.

    Starlette's router compares a path with one pattern after the other, of which there are a hundred.
    """

    def __init__(self, exact: list[Route], routes: list[Route]) -> None:
        """Take routes of `build_routes`, which take every method, and all routes in the order of their precedence."""
        self._exact = {route.path: route for route in exact if "{" not in route.path}
        words = {_first_word(route.path) for route in routes}
        self._routers = {word: self._router(routes, word) for word in words if "{" not in word}
        self._others = self._router(routes, None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope["path"]
        route = self._exact.get(path)
        if route is None:
            await self._routers.get(_first_word(path), self._others)(scope, receive, send)
            return
        scope["route"], scope["path_params"] = route, {}
        response = await route.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    @staticmethod
    def _router(routes: list[Route], word: str | None) -> Router:
        """Return the router of what can match a path with this first word: the word itself, or any."""
        matching = [route for route in routes if "{" in (first := _first_word(route.path)) or first == word]
        return Router(matching, redirect_slashes=False)


def _first_word(path: str) -> str:
    """Return the part of a path between its first and its second slash."""
    return path.split("/", 2)[1] if path.startswith("/") else ""


def _route(path: str, endpoints: dict[str, RouteEndpoint]) -> Route:
    allowed = ", ".join(endpoints)

    async def endpoint(request: Request) -> Response:
        found = endpoints.get(request.method)
        if found is not None:
            return await found(request)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": allowed})
        raise HTTPException(405, headers={"allow": allowed})

    # A function would be limited to GET by default; every method comes here, so that 405 can name the others.
    return Route(path, endpoint, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])


def _reading(operation: Operation, runtime: Runtime, keys: KeyRing) -> RouteEndpoint:
    encoder = msgspec.json.Encoder()

    async def endpoint(request: Request) -> Response:
        tenant = NOBODY
        if not operation.is_public:
            tenant = (await keys.authenticate(request, runtime, writes=operation.needs_write_access)).tenant
            if tenant.mode == "test":
                await recall_clocks(runtime, tenant.business_id)
        query = decode_query(request, operation.query)
        response = await operation.handler(Call(runtime, tenant, _path(request), None, query))
        return respond(b"" if operation.response is None else encoder.encode(response), operation.status)

    return endpoint


def _writing(
    operation: Operation, runtime: Runtime, keys: KeyRing, retries: Retries, operations: list[Operation]
) -> RouteEndpoint:
    decoder = None if operation.body is None else msgspec.json.Decoder(operation.body)
    encoder = msgspec.json.Encoder()
    reader = reader_of(operation, operations)

    async def endpoint(request: Request) -> Response:
        key = await keys.authenticate(request, runtime, writes=operation.needs_write_access)
        if key.tenant.mode == "test":
            await recall_clocks(runtime, key.tenant.business_id)
        raw = b"" if decoder is None else await read_body(request)
        body = None if decoder is None else decode_body(raw, decoder)
        query = decode_query(request, operation.query)
        path = _path(request)

        async def carry_out(runtime: Runtime) -> bytes:
            response = await operation.handler(Call(runtime, key.tenant, path, body, query))
            return b"" if operation.response is None else encoder.encode(response)

        async def as_it_is(kept: KeptAnswer) -> bytes | None:
            if operation.response is None:
                return b""
            if reader is None or (reader.path != operation.path and kept.object_id is None):
                return None
            names = path if reader.path == operation.path else path | {_last_name(reader.path): kept.object_id or ""}
            read = Call(runtime, key.tenant, names, None, reader.query())
            return encoder.encode(await reader.handler(read))

        known_by = fingerprint(request, key, raw, body) if operation.writes else None
        if known_by is None:
            return respond(await carry_out(runtime), operation.status)
        return await retries.response(runtime, known_by, Work(operation.status, carry_out, as_it_is))

    return endpoint


def reader_of(operation: Operation, operations: list[Operation]) -> Operation | None:
    """Return the operation that shows an object as this one answers: GET of its path, or of what a POST makes below."""
    creates = operation.method == "POST"
    for reader in operations:
        place, _, name = reader.path.rpartition("/") if creates else (reader.path, "", "")
        same_place = place == operation.path and name.startswith("{") == creates
        if reader.method == "GET" and same_place and reader.response is operation.response:
            return reader
    return None


def _path(request: Request) -> dict[str, str]:
    return {name: _clean(value) for name, value in request.path_params.items()}


def _last_name(path: str) -> str:
    """Return the name of the parameter that a path ends with."""
    return path.rpartition("{")[2].rstrip("}")


async def read_body(request: Request) -> bytes:
    """Return the raw body. Raises Problem INVALID_REQUEST_BODY for a wrong content type (415) or size (413)."""
    content_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise Problem(
            "INVALID_REQUEST_BODY",
            status=415,
            detail=f"Send it as `Content-Type: application/json`; got {_shown(content_type)}.",
        )
    return await read_bytes(request, MAXIMUM_BODY)


def _shown(content_type: str) -> str:
    """Return a content type as it came, and of what is none, which may be a secret, nothing."""
    return f"`{content_type}`" if _CONTENT_TYPE.fullmatch(content_type) else "something else"


_CONTENT_TYPE: Final = re.compile(r"(application|audio|font|image|message|model|multipart|text|video)/[a-z.+-]{1,60}")


async def read_bytes(request: Request, maximum: int) -> bytes:
    """Return a body of any type. Raises Problem INVALID_REQUEST_BODY (413) as soon as it exceeds `maximum` bytes."""
    body, more = bytearray(), True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Problem("INVALID_REQUEST_BODY", status=400, detail="The connection ended before the body did.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > maximum:
            raise Problem("INVALID_REQUEST_BODY", status=413, detail=f"It is larger than {maximum} bytes.")
    return bytes(body)


def decode_body(raw: bytes, decoder: msgspec.json.Decoder[BodyT]) -> BodyT:
    """Decode a JSON body. Raises Problem INVALID_REQUEST_BODY whose message names the JSON path at fault.

    So is a name that no field has and that would say how much money moves, where a type lists some
    (`wire/misnamed.py`).
    """
    if not raw.strip():
        raise Problem("INVALID_REQUEST_BODY", status=400, path="$", detail="It is empty; send a JSON object.")
    try:
        raw.decode()  # the decoder skips unknown fields without looking whether they are UTF-8
        decoded = decoder.decode(raw)
        if getattr(decoded, "instead", None):
            refuse_misnamed(msgspec.json.decode(raw), decoded)
    except msgspec.ValidationError as error:
        raise _schema_problem(str(error), decoder.type, raw) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        detail = "It is nested too deeply." if isinstance(error, RecursionError) else f"{error}."
        raise Problem("INVALID_REQUEST_BODY", status=400, path="$", detail=detail) from error
    if rb"\u0000" in raw and (where := _path_of_nul(msgspec.to_builtins(decoded), "")) is not None:
        raise Problem("INVALID_REQUEST_BODY", path=where, detail="The character U+0000 cannot be stored.")
    return decoded


def decode_query(request: Request, shape: type[QueryT]) -> QueryT:
    """Decode the query string. Raises Problem INVALID_QUERY_PARAMS whose message names the parameter."""
    pairs = dict(request.query_params) if request.scope["query_string"] else {}
    for name, value in pairs.items():
        if name.startswith("created_at_") and _DAY.fullmatch(value):
            # A day is its first moment, or as the end of a range its last one, so that the day is part of the range.
            pairs[name] = f"{value}T23:59:59.999999Z" if name.endswith("_lte") else f"{value}T00:00:00Z"
    try:
        query = msgspec.convert(pairs, shape, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).rpartition(" - at `$.")
        path = path.rstrip("`") if message else "query"
        message = explained(message, shape, f".{path}")
        raise Problem("INVALID_QUERY_PARAMS", path=path, detail=f"{message or error}.") from error
    for name, value in pairs.items():
        if "\x00" in value or "\x00" in name:
            raise Problem(
                "INVALID_QUERY_PARAMS", path=name.replace("\x00", ""), detail="It holds the character U+0000."
            )
    return query


_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")

_MISSING: Final = re.compile(r"Object missing required field `([^`]+)`")


def _schema_problem(words: str, shape: Any, raw: bytes) -> Problem:
    """Split msgspec's "Expected `int`, got `str` - at `$.product_cart[0].quantity`" into sentence and path.

    A field that is missing is named with all others that are.
    """
    message, _, at = words.replace(" - at `key` in `", " - at `").rpartition(" - at `$")
    at = at.rstrip("`")
    message, path = (explained(message, shape, at), at.removeprefix(".")) if message else (words, "")
    if missing := _MISSING.fullmatch(message):
        path = f"{path}.{missing[1]}".removeprefix(".")
        others = ", ".join(place for place in missing_fields(shape, raw) if place != path)
        message = f"This field is required{', and so are: ' if others else ''}{others}"
    return Problem("INVALID_REQUEST_BODY", path=path or "$", detail=f"{message}.")


def _path_of_nul(value: Any, path: str) -> str | None:
    """Return the JSON path of the first text with U+0000, which PostgreSQL cannot store, or None."""
    if isinstance(value, str):
        return (path.removeprefix(".") or "$") if "\x00" in value else None
    if isinstance(value, list):
        steps = ((item, f"{path}[{index}]") for index, item in enumerate(value))
    elif isinstance(value, dict):
        for name in value:
            if "\x00" in name:
                return path.removeprefix(".") or "$"
        steps = ((item, f"{path}.{name}") for name, item in value.items())
    else:
        return None
    return next((found for item, where in steps if (found := _path_of_nul(item, where)) is not None), None)


@lru_cache(maxsize=1024)
def _clean(text: str) -> str:
    """Return a path parameter, or nothing for one that no id and no code can be: it is simply not found."""
    return "" if "\x00" in text or len(text.strip()) > 64 else text
