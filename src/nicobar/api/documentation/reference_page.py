"""The API reference for people, at `/docs`: one HTML page made from the OpenAPI document, without any script.

It works offline, behind a path prefix (all its links are relative) and under a policy that lets nothing in from
elsewhere. Document and page are made at the first request for them, because most servers are never asked.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Final, NamedTuple

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nicobar.api.documentation.field_tables import Field, Variant, field_of, fields_of, kind_of
from nicobar.api.documentation.openapi import build_document
from nicobar.api.documentation.schemas import Schema, component_name, resolve
from nicobar.api.documentation.webhook_section import HOOKS
from nicobar.api.routing import Operation
from nicobar.flows.runtime import Runtime

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "cache-control": "no-cache",  # cached, but revalidated each time, so that an update shows at once
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

_CODE: Final = re.compile(r"`([^`]+)`")
_JSON_TOKEN: Final = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=:)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>[\w.+-]+)|(?P<rest>[^\w".+-]+)'
)
_PREAMBLE: Final = re.compile(r"The (?:body|answer) of [A-Z]+ \S+?(?:[:;.] |\.?$)")
"""How wire types say where they belong; next to the operation itself that is redundant."""
_PATH_PARAMETER: Final = re.compile(r"\{(\w+)\}")


class _Refusal(NamedTuple):
    """One row of a table of errors."""

    status: str
    code: str
    when: str


class _Entry(NamedTuple):
    """One operation, ready to be shown."""

    id: str
    method: str
    path: Markup
    summary: str
    description: str
    parameters: list[Field]
    body: list[Field | Variant]
    body_text: str
    response: list[Field | Variant]
    response_kind: Markup | None
    """None where the answer has no body."""
    response_text: str
    refusals: list[_Refusal]
    """The particular ones; the general ones are in one table for all operations."""
    curl: Markup
    example: Markup | None


class _Hook(NamedTuple):
    """One type of events that receivers are sent."""

    type: str
    when: str
    data: str
    example: Markup


class _Group(NamedTuple):
    """The operations under one tag."""

    id: str
    name: str
    entries: list[_Entry]


def docs_routes(runtime: Runtime, operations: Sequence[Operation]) -> list[Route]:
    """Return the routes of `/openapi.json` and `/docs`, which need no key."""
    reference = _Reference(operations, runtime.public_url)
    return [
        Route("/openapi.json", _serve(lambda: reference.document_bytes, "application/json")),
        Route("/docs", _serve(lambda: reference.page_bytes, "text/html; charset=utf-8")),
        Route("/docs/reference.css", _serve(lambda: _static("reference.css"), "text/css; charset=utf-8")),
        Route("/docs/nicobar.svg", _serve(lambda: _static("nicobar.svg"), "image/svg+xml")),
    ]


class _Reference:
    """The document and the page, each made once, when it is first asked for."""

    def __init__(self, operations: Sequence[Operation], public_url: str) -> None:
        self._operations = operations
        self._public_url = public_url

    @cached_property
    def _document(self) -> dict[str, Any]:
        return build_document(self._operations, self._public_url, HOOKS)

    @cached_property
    def document_bytes(self) -> bytes:
        return msgspec.json.encode(self._document)

    @cached_property
    def page_bytes(self) -> bytes:
        return render_page(self._document).encode()


@cache
def _static(name: str) -> bytes:
    return files("nicobar.api").joinpath("static", name).read_bytes()


def _serve(content: Callable[[], bytes], media_type: str) -> Callable[[Request], Response]:
    """Return an endpoint for bytes that change only with the version; 304 for a client that has them already."""

    # Starlette runs a plain function in a thread, so making the page does not hold up the API.
    def endpoint(request: Request) -> Response:
        body = content()
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {**_HEADERS, "etag": etag}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=media_type)

    return endpoint


def render_page(document: dict[str, Any]) -> str:
    """Return the HTML page of an OpenAPI document that `build_document` made."""
    environment = Environment(
        loader=PackageLoader("nicobar.api"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"breakable": _breakable, "inline": _inline, "paragraphs": _paragraphs}
    components = document["components"]
    lists = {name: schema for name, schema in components["schemas"].items() if "enum" in schema}
    return environment.get_template("reference.html").render(
        info=document["info"],
        base_url=document["servers"][0]["url"],
        about_keys=components["securitySchemes"]["apiKey"]["description"],
        groups=_groups(document),
        general=_general(document),
        lists=lists,
        hooks=_hooks(document),
    )


def _groups(document: dict[str, Any]) -> list[_Group]:
    groups = {tag["name"]: _Group(_anchor(tag["name"]), tag["name"], []) for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups[operation["tags"][0]].entries.append(_entry(document, path, method.upper(), operation))
    return list(groups.values())


def _entry(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> _Entry:
    components = document["components"]["schemas"]
    parameters = operation.get("parameters", [])
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    success, *others = operation["responses"].items()
    response = success[1].get("content", {}).get("application/json")
    return _Entry(
        id=operation["operationId"],
        method=method,
        path=Markup(_PATH_PARAMETER.sub(r"<i>{\1}</i>", str(escape(path)))),  # noqa: S704 - escaped in the same line
        summary=operation["summary"],
        description=operation.get("description", ""),
        parameters=[_parameter(parameter, components) for parameter in parameters],
        body=list(fields_of(body["schema"], components)) if body else [],
        body_text=_news(resolve(body["schema"], components).get("description", "")) if body else "",
        response=list(fields_of(response["schema"], components)) if response else [],
        response_kind=kind_of(response["schema"], components) if response else None,
        response_text=_news(success[1]["description"]),
        refusals=[refusal for status, response in others for refusal in _refusals(status, response)],
        curl=_curl(document["servers"][0]["url"], path, method, parameters, body),
        example=_coloured(response["example"]) if response else None,
    )


def _hooks(document: dict[str, Any]) -> list[_Hook]:
    """Return what is posted to receivers, with the name of the component that `data` is."""
    found = []
    for type, item in document.get("webhooks", {}).items():
        content = item["post"]["requestBody"]["content"]["application/json"]
        data = content["schema"]["properties"]["data"]["allOf"][1]
        found.append(_Hook(type, item["post"]["summary"], component_name(data["$ref"]), _coloured(content["example"])))
    return found


def _parameter(parameter: dict[str, Any], components: dict[str, Schema]) -> Field:
    schema = {"description": parameter.get("description", ""), **parameter["schema"]}
    return field_of(parameter["name"], schema, components, required=parameter["required"])


def _refusals(status: str, response: dict[str, Any]) -> list[_Refusal]:
    """Return the rows of one error response; none for a reference to a shared one."""
    examples = response.get("content", {}).get("application/json", {}).get("examples", {})
    return [_Refusal(status, code, example["summary"]) for code, example in examples.items()]


def _general(document: dict[str, Any]) -> list[_Refusal]:
    """Return the rows of the shared error responses, each with the status that operations give it."""
    statuses = {
        response["$ref"]: status
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, response in operation["responses"].items()
        if "$ref" in response
    }
    rows = [
        refusal
        for name, response in document["components"]["responses"].items()
        if (status := statuses.get(f"#/components/responses/{name}"))
        for refusal in _refusals(status, response)
    ]
    return sorted(rows)


def _curl(
    base_url: str, path: str, method: str, parameters: list[dict[str, Any]], body: dict[str, Any] | None
) -> Markup:
    """Return a command that works after `DODO_PAYMENTS_API_KEY` is set and the ids are real ones."""
    for parameter in parameters:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter.get("example", parameter["name"])))
    verb = "" if method == "GET" else f"-X {method} "
    lines = [f"curl {verb}{shlex.quote(base_url + path)}", '-H "Authorization: Bearer $DODO_PAYMENTS_API_KEY"']
    if body is None:
        return escape(" \\\n  ".join(lines))
    lines += ['-H "Content-Type: application/json"', "-d '"]
    return escape(" \\\n  ".join(lines)) + _coloured(body["example"], quoted=True) + escape("'")


def _coloured(value: Any, *, quoted: bool = False) -> Markup:
    """Return a value as indented JSON with its tokens marked; `quoted` makes it fit between a shell's quotes."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if quoted:
        text = text.replace("'", "'\\''")
    parts = []
    for token in _JSON_TOKEN.finditer(text):
        shown = escape(token[0])
        kind = token.lastgroup
        parts.append(shown if kind == "rest" else Markup('<span class="{}">{}</span>').format(kind, shown))
    return Markup("").join(parts)


def _anchor(name: str) -> str:
    return re.sub(r"\W+", "-", name.lower())


def _news(description: str) -> str:
    """Return a type's description without the words that only repeat its operation."""
    rest = _PREAMBLE.sub("", description, count=1)
    return rest[:1].upper() + rest[1:]


def _inline(text: str) -> Markup:
    """Set what is between backticks as code; everything else is plain text."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped in the same line


def _paragraphs(text: str) -> Markup:
    """Set each paragraph of a text."""
    return Markup("").join(Markup("<p>{}</p>").format(_inline(part)) for part in text.split("\n\n") if part)


def _breakable(code: str) -> Markup:
    """Let a long code break after its underscores."""
    return Markup("_<wbr>").join(code.split("_"))
