"""The page at `/docs`: everything in it, nothing from elsewhere, and every link leads somewhere."""

import json
import re
import shlex
from collections import Counter
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any, cast

import httpx
import pytest
from starlette.routing import Router

from nicobar.api.documentation import reference_page
from nicobar.api.documentation.field_tables import Field, Variant, field_of, fields_of
from nicobar.api.documentation.openapi import build_document
from nicobar.api.documentation.reference_page import docs_routes, render_page
from nicobar.api.documentation.webhook_section import HOOKS
from nicobar.app import OPERATIONS
from nicobar.flows.runtime import Runtime

BASE = "https://pay.example.com/dodo"
VOID = {"meta", "link", "img", "wbr", "br", "hr", "input"}
MEDIA_TYPES = {
    "/openapi.json": "application/json",
    "/docs": "text/html; charset=utf-8",
    "/docs/reference.css": "text/css; charset=utf-8",
    "/docs/nicobar.svg": "image/svg+xml",
}


class Page(HTMLParser):
    """What tests ask about a page: its tags, ids, links, and the text of each `<pre>`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.commands: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            self.attributes[name] += 1
            if name == "id":
                self.ids.append(str(value))
            if name in ("href", "src"):
                self.links.append(str(value))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "pre":
            self.commands.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "pre" in self._open:
            self.commands[-1] += data


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return build_document(OPERATIONS, BASE, HOOKS)


@pytest.fixture(scope="module")
def page(document: dict[str, Any]) -> Page:
    return Page(render_page(document))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    runtime = Runtime(cast(Any, None), cast(Any, None), BASE)
    transport = httpx.ASGITransport(Router(docs_routes(runtime, OPERATIONS)))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as found:
        yield found


@pytest.mark.parametrize(("path", "media_type"), list(MEDIA_TYPES.items()))
async def test_everything_is_public_and_kept_by_its_etag(client: httpx.AsyncClient, path: str, media_type: str) -> None:
    first = await client.get(path)
    assert (first.status_code, first.headers["content-type"]) == (200, media_type)
    assert first.content
    assert first.headers["cache-control"] == "no-cache"
    again = await client.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = await client.get(path, headers={"if-none-match": '"another"'})
    assert other.status_code == 200


async def test_the_document_that_is_served(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    assert (await client.get("/openapi.json")).json() == document


@pytest.mark.parametrize("path", MEDIA_TYPES)
async def test_nothing_may_be_loaded_from_elsewhere(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"


async def test_nothing_is_made_before_it_is_asked_for_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def build(*arguments: Any) -> dict[str, Any]:
        made.append(arguments)
        return build_document(*arguments)

    monkeypatch.setattr(reference_page, "build_document", build)
    routes = docs_routes(Runtime(cast(Any, None), cast(Any, None), BASE), OPERATIONS)
    assert made == []
    transport = httpx.ASGITransport(Router(routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for path in ("/docs", "/openapi.json", "/docs"):
            assert (await client.get(path)).status_code == 200
    assert made == [(OPERATIONS, BASE, HOOKS)]


def test_the_page_has_no_script_and_no_inline_style(page: Page) -> None:
    assert page.tags["script"] == page.tags["style"] == page.tags["iframe"] == page.tags["form"] == 0
    assert page.attributes["style"] == 0
    assert [name for name in page.attributes if name.startswith("on")] == []


def test_every_link_is_relative_and_leads_somewhere(page: Page) -> None:
    inside = [link[1:] for link in page.links if link.startswith("#")]
    assert [identifier for identifier, times in Counter(page.ids).items() if times > 1] == []
    assert set(inside) <= set(page.ids)
    outside = {link for link in page.links if not link.startswith("#")}
    assert outside == {"docs/nicobar.svg", "docs/reference.css", "openapi.json"}


def test_every_operation_has_its_anchor_and_its_place_in_the_navigation(page: Page, document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(ids) == len(OPERATIONS)
    for identifier in ids:
        assert identifier in page.ids
        assert page.links.count(f"#{identifier}") == 2  # in the navigation and in its own heading
    assert page.tags["article"] == len(ids)


def test_curl_commands_are_what_a_shell_understands(page: Page, document: dict[str, Any]) -> None:
    commands = [shlex.split(text.replace("\\\n", "")) for text in page.commands if text.startswith("curl ")]
    assert len(commands) == len(OPERATIONS)
    create = next(command for command in commands if f"{BASE}/payments" in command and "POST" in command)
    example = document["paths"]["/payments"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert create[:-1] == [
        "curl",
        "-X",
        "POST",
        f"{BASE}/payments",
        "-H",
        "Authorization: Bearer $DODO_PAYMENTS_API_KEY",
        "-H",
        "Content-Type: application/json",
        "-d",
    ]
    assert json.loads(create[-1]) == example
    listed = next(command for command in commands if f"{BASE}/payments" in command and "-X" not in command)
    assert listed == ["curl", f"{BASE}/payments", "-H", "Authorization: Bearer $DODO_PAYMENTS_API_KEY"]


def test_texts_are_escaped_and_quotes_survive_the_shell(document: dict[str, Any]) -> None:
    odd = json.loads(json.dumps(document))
    operation = odd["paths"]["/payments"]["post"]
    operation["summary"] = "<script>alert(1)</script>"
    operation["description"] = "Mind `<b>` & it's"
    body = operation["requestBody"]["content"]["application/json"]
    body["example"] = {"note": "it's <i>"}
    text = render_page(odd)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<p>Mind <code>&lt;b&gt;</code> &amp; it&#39;s</p>" in text
    commands = [shlex.split(part.replace("\\\n", "")) for part in Page(text).commands if "it'" in part]
    assert [json.loads(command[-1]) for command in commands] == [{"note": "it's <i>"}]


def test_fields_are_rows_with_their_path_type_and_bounds(document: dict[str, Any]) -> None:
    components = document["components"]["schemas"]
    rows = [row for row in fields_of(components["PaymentCreate"], components) if isinstance(row, Field)]
    found = {row.parent + row.name: row for row in rows}
    quantity = found["product_cart[].quantity"]
    assert quantity == Field("product_cart[].", "quantity", True, quantity.kind, ["0 to 10000"], "How many units.")
    assert str(quantity.kind) == "integer"
    assert str(found["billing.country"].kind) == '<a href="#CountryCode">CountryCode</a>'
    assert found["product_cart"].notes == ["up to 100 items"]
    assert found["product_cart"].required
    methods = found["allowed_payment_method_types"]
    assert str(methods.kind) == 'list of <a href="#AllowedMethodType">AllowedMethodType</a> or null'
    assert not methods.required
    assert found["discount_codes"].notes == ["up to 20 items", "each up to 64 characters"]
    assert found["product_cart[].amount"].text.endswith("Minor units of its currency (cents, yen, fils).")


def test_shapes_of_a_union_stand_under_headings_and_a_type_inside_itself_is_not_opened() -> None:
    components: dict[str, Any] = {
        "Box": {
            "type": "object",
            "properties": {
                "inner": {"anyOf": [{"$ref": "#/components/schemas/Box"}, {"type": "null"}]},
                "form": {
                    "anyOf": [{"$ref": "#/components/schemas/Round"}, {"$ref": "#/components/schemas/Flat"}],
                    "discriminator": {
                        "propertyName": "shape",
                        "mapping": {"round": "#/components/schemas/Round", "flat": "#/components/schemas/Flat"},
                    },
                },
            },
            "required": ["form"],
        },
        "Round": {"type": "object", "properties": {"radius": {"type": "integer", "minimum": 1, "default": 3}}},
        "Flat": {"type": "object", "properties": {"sealed": {"type": "boolean", "default": False}}},
    }
    rows = list(fields_of({"$ref": "#/components/schemas/Box"}, components))
    assert [row.parent + row.name if isinstance(row, Field) else row for row in rows] == [
        "inner",
        "form",
        Variant("form.", "shape", "round"),
        "form.radius",
        Variant("form.", "shape", "flat"),
        "form.sealed",
    ]
    assert [row.notes for row in rows if isinstance(row, Field)] == [
        [],
        [],
        ["at least 1", "default `3`"],
        ["default `false`"],
    ]


def test_the_kind_of_a_field_in_words() -> None:
    def kind(schema: dict[str, Any]) -> str:
        return str(field_of("x", schema, {}, required=False).kind)

    assert (
        kind({"type": "array", "items": {"type": "array", "items": {"type": "string"}}}) == "list of lists of strings"
    )
    assert kind({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}) == "date-time or null"
    assert kind({"anyOf": [{"type": "string"}, {"type": "string"}, {"type": "number"}]}) == "string or number"
    assert kind({"type": "array"}) == "list of anything"
    assert kind({}) == "anything"


def test_the_page_names_what_is_sent(document: dict[str, Any]) -> None:
    text = render_page(document)
    part = text.partition('<section id="what-is-sent"')[2].partition("</section>")[0]
    assert re.findall(r'<th scope="row"><code>([\w.]+)</code>', part) == [hook.type for hook in HOOKS]
    assert 'href="#what-is-sent"' in text
