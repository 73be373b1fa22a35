"""The OpenAPI 3.1 document, generated from the table of operations and the wire types."""

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from inspect import getdoc
from typing import Any, Final, NamedTuple

from nicobar.api.auth import KEY_NOT_ACCEPTED, MAY_ONLY_READ
from nicobar.api.documentation.error_catalogue import example_message
from nicobar.api.documentation.examples import example_id, example_of
from nicobar.api.documentation.request_fields import explain_request_fields
from nicobar.api.documentation.schemas import Schema, component_name, describe_types, plain_text, resolve
from nicobar.api.documentation.webhook_section import Hook, webhook_section
from nicobar.api.errors import ErrorEnvelope
from nicobar.api.routing import MAXIMUM_BODY, Operation
from nicobar.core.problems import CATALOGUE
from nicobar.core.retries.fingerprint import KEY_DETAIL, LONGEST_KEY
from nicobar.wire.common import MAXIMUM_OFFSET, NoQuery

_ABOUT: Final = f"""\
The HTTP API of this payment server. It speaks the Dodo Payments API, so the official client libraries work with it \
unchanged: point `DODO_PAYMENTS_BASE_URL` at the address below.

Bodies and answers are JSON; a body may have up to {MAXIMUM_BODY // 1024} KiB. Amounts are whole numbers in the minor \
unit of their currency: `1999` is 19.99 US dollars or 1999 yen. Moments are in UTC, in RFC 3339 form. In a request, \
unknown fields are ignored, and `null` counts as not sent unless the text says otherwise. A refund refuses names \
that would say how much goes back and that no field has, such as `amount`.

Every request that writes may carry an `Idempotency-Key`; then it is carried out once, and its repetitions get the \
first answer with `Idempotent-Replayed: true`. The official libraries send none when they try again: a `POST` with \
`x-stainless-retry-count` gets the answer to the same bytes of the last five minutes, if it names a customer, a \
payment or, in its path, an object.

Lists come in pages that count from zero: `page_number` and `page_size`. A page past the end is empty, which is how a \
list ends. Pages end after {MAXIMUM_OFFSET} objects. The official libraries count on from one when they iterate by \
themselves, and leave out the second page: ask for each page, or, in JavaScript and Go, begin with `page_number` 0.

Every error is `{{"code": "...", "message": "..."}}`: programs decide by `code`, people read `message`. A refused \
request has changed nothing and carries `x-should-retry: false`. A path that does not exist \
answers 404 `NOT_FOUND`, a method that a path does not have 405 `METHOD_NOT_ALLOWED`. Every answer has a `request-id` \
header, which the server's log knows."""

_ABOUT_KEYS: Final = """\
An API key of this server, such as `nicobar_test_...`. The key decides whether it is test money or real money. \
A read-only key may only read and ask for previews, and a key with scopes may write only what they name. The secret \
of a webhook endpoint is read only by keys that may write webhooks. A key may have an end, after which it opens \
nothing."""


class _Refusal(NamedTuple):
    """One way in which an operation can refuse."""

    status: int
    code: str
    when: str
    message: str


def _refusal(code: str, status: int | None = None, when: str | None = None, message: str | None = None) -> _Refusal:
    """Return a row of the catalogue as a refusal, with what is particular about it here."""
    entry = CATALOGUE[code]
    return _Refusal(status or entry.status, code, when or entry.when, message or example_message(code))


def _body_refusal(status: int | None, when: str, detail: str, path: str = "") -> _Refusal:
    message = path + CATALOGUE["INVALID_REQUEST_BODY"].sentence.format(detail=detail)
    return _refusal("INVALID_REQUEST_BODY", status, when, message)


def _unauthorized(status: int, when: str, detail: str) -> _Refusal:
    return _refusal("UNAUTHORIZED", status, when, CATALOGUE["UNAUTHORIZED"].sentence.format(detail=detail))


_OF_KEYS: Final = (
    _unauthorized(401, "No API key, or an unknown, expired or revoked one.", KEY_NOT_ACCEPTED),
    _refusal("TOO_MANY_REQUESTS"),
)
_ALWAYS: Final = (
    _refusal("INTERNAL_SERVER_ERROR"),
    _refusal("SERVICE_UNAVAILABLE"),
)
_WRITES: Final = (_unauthorized(403, "The API key is read-only, or its scopes do not cover this.", MAY_ONLY_READ),)
_KEYED: Final = (
    _refusal("INVALID_REQUEST_PARAMETERS", message=f"Idempotency-Key: {KEY_DETAIL}"),
    _refusal("IDEMPOTENCY_KEY_REUSED"),
)
_REPEATED: Final = (_refusal("IDEMPOTENT_REQUEST_RUNNING"), _refusal("IDEMPOTENT_ANSWER_LOST"))
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A text of yours that names this request. The same request with the same key is carried out once; "
    "its repetitions get the first answer, with the header `Idempotent-Replayed: true`.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    "example": "order-1017",
}
_RETRY_AFTER: Final = {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer", "minimum": 1}}
_BODIES: Final = (
    _body_refusal(400, "The body is empty or not JSON.", "It is empty; send a JSON object.", "$: "),
    _body_refusal(413, "The body is too large.", f"It is larger than {MAXIMUM_BODY} bytes."),
    _body_refusal(415, "The body is not declared as JSON.", "Send it as `Content-Type: application/json`."),
    _body_refusal(
        None, "A field is missing, has the wrong type or is out of bounds.", "This field is required.", "field: "
    ),
)
_QUERIES: Final = (
    _refusal(
        "INVALID_QUERY_PARAMS",
        message="page_size: " + CATALOGUE["INVALID_QUERY_PARAMS"].sentence.format(detail="Expected `int` <= 100."),
    ),
)
_SHARED: Final[dict[str, tuple[_Refusal, ...]]] = {
    "MalformedBody": (_BODIES[0],),
    "Unauthorized": (_OF_KEYS[0],),
    "ReadOnlyKey": _WRITES,
    "Repeated": _REPEATED,
    "BodyTooLarge": (_BODIES[1],),
    "NotJson": (_BODIES[2],),
    "TooManyRequests": (_OF_KEYS[1],),
    "InternalError": (_ALWAYS[0],),
    "Unavailable": (_ALWAYS[1],),
}
"""Refusals of one status that many operations have in common, by the name of their response component."""


def build_document(operations: Sequence[Operation], public_url: str, hooks: Sequence[Hook] = ()) -> dict[str, Any]:
    """Return the document as plain dicts and lists. `public_url` is the base of the API, without a slash at the end.

    `hooks` are what the server posts to receivers.

    Raises ValueError when two operations would get the same id.
    """
    wire_types: list[Any] = [ErrorEnvelope]
    for operation in operations:
        wire_types += [operation.response, operation.body, operation.query]
    schemas, components = describe_types([*wire_types, *(hook.data for hook in hooks)])
    error, *rest = schemas
    told = rest[3 * len(operations) :]
    queries: set[str] = set()
    paths: dict[str, dict[str, Any]] = {}
    tags: dict[str, None] = {}
    ids: set[str] = set()
    for index, operation in enumerate(operations):
        response, body, query = rest[3 * index : 3 * index + 3]
        queries.add(component_name(query["$ref"]))
        described = _operation(operation, response, body, query, error, components)
        if described["operationId"] in ids:
            raise ValueError(f"two operations have the id {described['operationId']}")
        ids.add(described["operationId"])
        tags |= dict.fromkeys(described["tags"])
        paths.setdefault(_plain_path(operation.path), {})[operation.method.lower()] = described
    explain_request_fields(paths, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Nicobar",
            "version": version("nicobar"),
            "summary": "A self-hosted payment server",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "security": [{"apiKey": []}],
        "tags": [{"name": name} for name in tags],
        "paths": paths,
        **({"webhooks": webhook_section(hooks, told, components)} if hooks else {}),
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in queries},
            "responses": {name: _response(refusals, error) for name, refusals in _SHARED.items()},
            "headers": {"RetryAfter": _RETRY_AFTER},
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer", "description": _ABOUT_KEYS}},
        },
    }


def operation_id(method: str, path: str) -> str:
    """Return the id of an operation, made from method and path alone, so that it outlives any change of code.

    A segment before a parameter is put in the singular: `GET /payments/{payment_id}/line-items` is
    `get_payment_line_items`, while `GET /payments` is `get_payments`.
    """
    words = [method.lower()]
    for segment in path.strip("/").split("/"):
        if segment.startswith("{"):
            words[-1] = words[-1].removesuffix("s")
        else:
            words.append(re.sub(r"\W", "_", segment))
    return "_".join(words)


def _plain_path(path: str) -> str:
    """Return the path without the converters of the router: `{name:path}` becomes `{name}`."""
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", path)


def _operation(
    operation: Operation, response: Schema, body: Schema, query: Schema, error: Schema, components: dict[str, Schema]
) -> dict[str, Any]:
    tag = operation.path.strip("/").partition("/")[0]
    described: dict[str, Any] = {
        "operationId": operation_id(operation.method, operation.path),
        "tags": [re.sub(r"[-_]", " ", tag).capitalize()],
        "summary": operation.summary,
    }
    if operation.is_public:
        described["security"] = []
    text = plain_text(getdoc(operation.handler) or "")
    if text and text.rstrip(".") != operation.summary:
        described["description"] = text
    parameters = _path_parameters(operation.path) + _query_parameters(resolve(query, components))
    if operation.writes:
        parameters.append(_IDEMPOTENCY_KEY)
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        content = {"schema": body, "example": example_of(body, components)}
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    described["responses"] = {
        str(operation.status): _success(operation, response, components),
        **_refusals(operation, error),
    }
    return described


def _path_parameters(path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    before = ""
    for segment in _plain_path(path).strip("/").split("/"):
        if segment.startswith("{"):
            name = segment.strip("{}")
            noun = name.removesuffix("_id") if name.endswith("_id") else before.removesuffix("s")
            parameter = {"name": name, "in": "path", "required": True, "schema": {"type": "string", "maxLength": 64}}
            if name == "id" or name.endswith("_id"):
                parameter |= {"description": f"The id of the {re.sub('[-_]', ' ', noun)}.", "example": example_id(noun)}
            found.append(parameter)
        before = segment
    return found


def _query_parameters(query: Schema) -> list[dict[str, Any]]:
    """Return a parameter for each field of a query struct. Null cannot be sent in a query and is left out."""
    found = []
    for name, field in query["properties"].items():
        schema = {key: value for key, value in field.items() if key not in ("anyOf", "description")}
        if schema.get("default", ...) is None:
            del schema["default"]
        branches = [branch for branch in field.get("anyOf", ()) if branch.get("type") != "null"]
        schema |= branches[0] if len(branches) == 1 else {"anyOf": branches} if branches else {}
        parameter = {"name": name, "in": "query", "required": name in query["required"], "schema": schema}
        if "description" in field:
            parameter["description"] = field["description"]
        found.append(parameter)
    return found


def _success(operation: Operation, response: Schema, components: dict[str, Schema]) -> dict[str, Any]:
    if operation.response is None:
        return {"description": "Done. There is no body."}
    description = resolve(response, components).get("description") or "Done."
    example = example_of(response, components, operation.path.rpartition("/")[2], whole=True)
    content = {"application/json": {"schema": response, "example": example}}
    return {"description": description, "content": content}


def _refusals(operation: Operation, error: Schema) -> dict[str, dict[str, Any]]:
    """Return the error responses by status: a shared component where nothing is particular to the operation."""
    by_status: dict[int, dict[str, _Refusal]] = {}
    for refusal in (*_general(operation), *_particular(operation)):
        by_status.setdefault(refusal.status, {}).setdefault(refusal.code, refusal)
    shared = {refusals: name for name, refusals in _SHARED.items()}
    responses: dict[str, dict[str, Any]] = {}
    for status, by_code in sorted(by_status.items()):
        refusals = tuple(by_code.values())
        if name := shared.get(refusals):
            responses[str(status)] = {"$ref": f"#/components/responses/{name}"}
        else:
            responses[str(status)] = _response(refusals, error)
    return responses


def _particular(operation: Operation) -> Iterable[_Refusal]:
    """Yield the refusals that the operation itself names."""
    for problem in operation.problems:
        code, status = (problem, None) if isinstance(problem, str) else problem
        yield _refusal(code, status)


def _general(operation: Operation) -> Iterable[_Refusal]:
    """Yield the refusals that come from around a handler: the key, the body, the query, the server."""
    if not operation.is_public:
        yield from _OF_KEYS
    yield from _ALWAYS
    if operation.needs_write_access:
        yield from _WRITES
    if operation.body is not None:
        yield from _BODIES
    if operation.query is not NoQuery:
        yield from _QUERIES
    if operation.writes:
        yield from _KEYED
        yield from _REPEATED


def _response(refusals: Iterable[_Refusal], error: Schema) -> dict[str, Any]:
    """Return one error response with an example for each code."""
    by_code = {refusal.code: refusal for refusal in refusals}
    examples = {
        code: {"summary": refusal.when, "value": {"code": code, "message": refusal.message}}
        for code, refusal in by_code.items()
    }
    described: dict[str, Any] = {
        "description": "Refused with " + ", ".join(f"`{code}`" for code in by_code) + ".",
        "content": {"application/json": {"schema": error, "examples": examples}},
    }
    if "TOO_MANY_REQUESTS" in by_code:
        described["headers"] = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}
    return described
