"""The OpenAPI document: valid, complete, and exact for a small table that has every kind of thing in it."""

import re
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from typing import Annotated, Any, Literal, get_args

import msgspec
import pytest
from msgspec import UNSET, Meta, Struct, UnsetType, defstruct
from openapi_spec_validator import OpenAPIV31SpecValidator

from nicobar.api.documentation.openapi import build_document, operation_id
from nicobar.api.documentation.schemas import describe_types
from nicobar.api.documentation.webhook_section import HOOKS
from nicobar.api.routing import Operation
from nicobar.app import OPERATIONS
from nicobar.core.events.event import EventType
from nicobar.core.problems import CATALOGUE
from nicobar.wire.codes import CURRENCY_CODES, CurrencyCode
from nicobar.wire.common import Items, NoQuery, PageQuery

BASE = "https://pay.example.com/dodo"


class Round(Struct, tag_field="shape", tag="round", kw_only=True):
    """A round box."""

    radius: Annotated[int, Meta(ge=1, le=9, description="Centimetres")]
    """From the middle to the rim."""


class Square(Struct, tag_field="shape", tag="square", kw_only=True):
    """A square box (contract, "Boxes")."""

    side: int


class BoxCreate(Struct, kw_only=True):
    """The body of POST /boxes."""

    form: Round | Square
    currency: CurrencyCode | None = None
    email: str | UnsetType | None = UNSET
    opens_at: datetime | None = None


class BoxRead(Struct, kw_only=True):
    """One box, which may
    hold others.

    Without end.
    """

    box_id: str
    opened_at: datetime
    boxes: "list[BoxRead]"


class BoxQuery(PageQuery, frozen=True, kw_only=True):
    """The filters of GET /boxes."""

    colour: Literal["red", "blue"] | None = None
    """Of the lid."""
    owner: str


async def make(_call: Any) -> BoxRead:
    """Make a box."""
    raise NotImplementedError


async def look(_call: Any) -> Items[BoxRead]:
    """Look at all boxes,
    one page at a time.
    """
    raise NotImplementedError


async def _undocumented(_call: Any) -> None:
    raise NotImplementedError


TABLE = [
    Operation(
        "POST", "/boxes", make, BoxRead, body=BoxCreate, summary="Make a box", problems=("NOT_FOUND", "BRAND_MISMATCH")
    ),
    Operation("GET", "/boxes", look, Items[BoxRead], query=BoxQuery, summary="List boxes"),
    Operation("DELETE", "/boxes/{box_id}", _undocumented, None, summary="Burn a box", status=204),
]


@pytest.fixture(scope="module")
def small() -> dict[str, Any]:
    return build_document(TABLE, BASE)


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return build_document(OPERATIONS, BASE)


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every object inside a document."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for item in node:
            yield from nodes(item)


def operations_of(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


@pytest.mark.parametrize("table", [TABLE, OPERATIONS], ids=["small", "real"])
def test_the_document_is_valid_openapi(table: list[Operation]) -> None:
    document = msgspec.json.decode(msgspec.json.encode(build_document(table, BASE)))
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_the_document_has_the_operations_of_the_table_and_nothing_else(whole: dict[str, Any]) -> None:
    table = {(operation.method, operation.path): operation for operation in OPERATIONS}
    found = operations_of(whole)
    assert found.keys() == table.keys()
    assert {key: operation["summary"] for key, operation in found.items()} == {
        key: operation.summary for key, operation in table.items()
    }
    assert len({operation["operationId"] for operation in found.values()}) == len(OPERATIONS)
    assert len(OPERATIONS) >= 20


def test_every_reference_resolves_and_every_component_is_used(whole: dict[str, Any]) -> None:
    pointers = {node["$ref"] for node in nodes(whole) if "$ref" in node}
    pointers |= {
        pointer
        for node in nodes(whole)
        if "mapping" in node.get("discriminator", {})
        for pointer in node["discriminator"]["mapping"].values()
    }
    assert pointers == {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses", "headers")
        for name in whole["components"][kind]
    }


def test_component_names_are_plain_words(whole: dict[str, Any]) -> None:
    names = list(whole["components"]["schemas"])
    assert [name for name in names if not re.fullmatch("[A-Z][A-Za-z0-9]+", name)] == []
    assert {"PaymentList", "PaymentListItem", "PaymentCreate", "CustomerList"} <= set(names)
    assert all(schema["title"] == name for name, schema in whole["components"]["schemas"].items())


def test_every_problem_of_an_operation_is_documented_with_its_status(whole: dict[str, Any]) -> None:
    for operation in OPERATIONS:
        responses = operations_of(whole)[operation.method, operation.path]["responses"]
        for problem in operation.problems:
            code, status = (problem, CATALOGUE[problem].status) if isinstance(problem, str) else problem
            content = responses[str(status)]["content"]["application/json"]
            assert content["examples"][code]["value"]["code"] == code


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}")
def test_examples_are_of_the_types_that_they_illustrate(operation: Operation, whole: dict[str, Any]) -> None:
    described = operations_of(whole)[operation.method, operation.path]
    if operation.body is not None:
        body = described["requestBody"]["content"]["application/json"]["example"]
        assert body
        msgspec.convert(body, operation.body)
    if operation.response is not None:
        answer = described["responses"][str(operation.status)]["content"]["application/json"]["example"]
        decoded = msgspec.convert(answer, operation.response)
        assert msgspec.to_builtins(decoded) == answer, "an answer's example shows every field"


def test_the_frame(small: dict[str, Any]) -> None:
    assert small["openapi"] == "3.1.0"
    assert small["servers"] == [{"url": BASE}]
    assert small["info"]["version"] == version("nicobar")
    assert small["info"]["license"]["identifier"] == "Apache-2.0"
    assert small["tags"] == [{"name": "Boxes"}]
    assert small["security"] == [{"apiKey": []}]
    scheme = small["components"]["securitySchemes"]["apiKey"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


def test_query_fields_become_parameters(small: dict[str, Any]) -> None:
    assert small["paths"]["/boxes"]["get"]["parameters"] == [
        {
            "name": "page_number",
            "in": "query",
            "required": False,
            "schema": {"type": "integer", "minimum": 0, "default": 0},
            "description": "The page, counted from 0.",
        },
        {
            "name": "page_size",
            "in": "query",
            "required": False,
            "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
            "description": "How many are on a page.",
        },
        {
            "name": "colour",
            "in": "query",
            "required": False,
            "schema": {"type": "string", "enum": ["blue", "red"]},
            "description": "Of the lid.",
        },
        {"name": "owner", "in": "query", "required": True, "schema": {"type": "string"}},
    ]


def test_path_parameters(small: dict[str, Any]) -> None:
    parameter, key = small["paths"]["/boxes/{box_id}"]["delete"]["parameters"]
    assert (key["name"], key["in"], key["required"]) == ("Idempotency-Key", "header", False)
    assert "parameters" not in small["paths"]["/boxes"]["get"] or "header" not in [
        other["in"] for other in small["paths"]["/boxes"]["get"]["parameters"]
    ]
    assert parameter.pop("example").startswith("box_")
    assert parameter == {
        "name": "box_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "maxLength": 64},
        "description": "The id of the box.",
    }


def test_bodies_and_their_components(small: dict[str, Any]) -> None:
    body = small["paths"]["/boxes"]["post"]["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/BoxCreate"}
    assert body["content"]["application/json"]["example"] == {
        "form": {"shape": "round", "radius": 1},
        "email": "customer@example.com",
    }
    schemas = small["components"]["schemas"]
    assert schemas["BoxCreate"]["required"] == ["form"]
    assert schemas["BoxCreate"]["properties"]["form"]["discriminator"] == {
        "propertyName": "shape",
        "mapping": {"round": "#/components/schemas/Round", "square": "#/components/schemas/Square"},
    }
    assert schemas["BoxCreate"]["properties"]["opens_at"]["anyOf"][0] == {"type": "string", "format": "date-time"}
    assert schemas["BoxRead"]["properties"]["opened_at"] == {"type": "string", "format": "date-time"}
    assert schemas["Round"]["properties"]["shape"] == {"type": "string", "enum": ["round"]}
    assert schemas["Round"]["properties"]["radius"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
        "description": "From the middle to the rim. Centimetres.",
    }
    assert not {"BoxQuery", "NoQuery"} & schemas.keys()


def test_closed_lists_are_components_of_their_own(small: dict[str, Any]) -> None:
    schemas = small["components"]["schemas"]
    assert schemas["BoxCreate"]["properties"]["currency"]["anyOf"][0] == {"$ref": "#/components/schemas/CurrencyCode"}
    assert schemas["CurrencyCode"]["type"] == "string"
    assert schemas["CurrencyCode"]["enum"] == list(CURRENCY_CODES)
    assert schemas["CurrencyCode"]["description"].startswith("The 145 ISO 4217 codes")


def test_two_types_of_one_name_are_told_apart_by_their_modules() -> None:
    one: Any = defstruct("Lid", [("size", int)], module="nicobar.wire.catalog.brands")
    other: Any = defstruct("Lid", [("size", int)], module="nicobar.wire.catalog.products")
    _, components = describe_types([one, other, Items[one]])
    assert set(components) == {"BrandsLid", "ProductsLid", "LidList"}
    assert components["LidList"]["properties"]["items"]["items"] == {"$ref": "#/components/schemas/BrandsLid"}


def test_texts_come_from_the_source(small: dict[str, Any]) -> None:
    schemas = small["components"]["schemas"]
    assert schemas["BoxRead"]["description"] == "One box, which may hold others.\n\nWithout end."
    assert schemas["Square"]["description"] == "A square box."
    assert small["paths"]["/boxes"]["get"]["description"] == "Look at all boxes, one page at a time."
    assert "description" not in small["paths"]["/boxes"]["post"], "a docstring that only repeats the summary"
    assert "description" not in small["paths"]["/boxes/{box_id}"]["delete"]


def test_answers(small: dict[str, Any]) -> None:
    listed = small["paths"]["/boxes"]["get"]["responses"]["200"]["content"]["application/json"]
    assert listed["schema"] == {"$ref": "#/components/schemas/BoxList"}
    assert listed["example"]["items"][0]["boxes"] == []
    assert small["paths"]["/boxes/{box_id}"]["delete"]["responses"]["204"] == {"description": "Done. There is no body."}


def test_which_errors_an_operation_can_answer_with(small: dict[str, Any]) -> None:
    post, get = small["paths"]["/boxes"]["post"]["responses"], small["paths"]["/boxes"]["get"]["responses"]
    delete = small["paths"]["/boxes/{box_id}"]["delete"]["responses"]
    assert list(post) == ["200", "400", "401", "403", "404", "409", "413", "415", "422", "429", "500", "503"]
    assert list(get) == ["200", "401", "422", "429", "500", "503"]
    assert list(delete) == ["204", "401", "403", "409", "422", "429", "500", "503"]
    assert delete["409"] == post["409"] == {"$ref": "#/components/responses/Repeated"}
    keyed = ["INVALID_REQUEST_PARAMETERS", "IDEMPOTENCY_KEY_REUSED"]
    assert list(delete["422"]["content"]["application/json"]["examples"]) == keyed
    assert post["429"] == {"$ref": "#/components/responses/TooManyRequests"}
    limited = small["components"]["responses"]["TooManyRequests"]
    assert limited["headers"] == {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}
    assert post["403"] == {"$ref": "#/components/responses/ReadOnlyKey"}
    assert list(post["422"]["content"]["application/json"]["examples"]) == [
        "INVALID_REQUEST_BODY",
        *keyed,
        "BRAND_MISMATCH",
    ]
    assert post["404"] == {
        "description": "Refused with `NOT_FOUND`.",
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/ErrorEnvelope"},
                "examples": {
                    "NOT_FOUND": {
                        "summary": CATALOGUE["NOT_FOUND"].when,
                        "value": {"code": "NOT_FOUND", "message": "Object not found"},
                    }
                },
            }
        },
    }


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/payments", "get_payments"),
        ("GET", "/payments/{payment_id}", "get_payment"),
        ("GET", "/payments/{payment_id}/line-items", "get_payment_line_items"),
        ("POST", "/products/{id}/unarchive", "post_product_unarchive"),
        ("GET", "/checkout/supported_countries", "get_checkout_supported_countries"),
    ],
)
def test_operation_ids_follow_from_method_and_path(method: str, path: str, expected: str) -> None:
    assert operation_id(method, path) == expected


def test_two_operations_of_one_id_are_refused() -> None:
    table = [
        Operation("GET", "/box/{box_id}", _undocumented, None, query=NoQuery),
        Operation("GET", "/boxs/{box_id}", _undocumented, None, query=NoQuery),
    ]
    with pytest.raises(ValueError, match="two operations have the id get_box"):
        build_document(table, BASE)


def test_what_receivers_are_sent_is_described() -> None:
    document = build_document(OPERATIONS, BASE, HOOKS)
    OpenAPIV31SpecValidator(document).validate()
    assert list(document["webhooks"]) == list(get_args(EventType))
    for type, item in document["webhooks"].items():
        post = item["post"]
        assert (post["security"], list(post["responses"])) == ([], ["2XX"])
        assert [header["name"] for header in post["parameters"]] == [
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
        ]
        content = post["requestBody"]["content"]["application/json"]
        example, data = content["example"], content["schema"]["properties"]["data"]["allOf"]
        assert (example["type"], example["data"].pop("payload_type")) == (type, type.partition(".")[0].capitalize())
        assert data[1]["$ref"].rpartition("/")[2] in document["components"]["schemas"]
        msgspec.convert(example["data"], next(hook.data for hook in HOOKS if hook.type == type))
    assert "webhooks" not in build_document(OPERATIONS, BASE)
