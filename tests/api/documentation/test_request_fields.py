"""Every field of every request is explained, and what the reference says of test cards is true."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nicobar.api.documentation.openapi import build_document
from nicobar.api.documentation.reference_page import render_page
from nicobar.api.documentation.request_fields import GUIDES, REQUEST_FIELDS
from nicobar.app import OPERATIONS
from nicobar.reference.cards import by_number


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return build_document(OPERATIONS, "https://pay.example.com")


def fields(node: Any, document: dict[str, Any], seen: set[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield component, name and schema of each field that a body can have."""
    if isinstance(node, list):
        for part in node:
            yield from fields(part, document, seen)
    elif isinstance(node, dict) and "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name not in seen:
            seen.add(name)
            component = document["components"]["schemas"][name]
            for field, schema in component.get("properties", {}).items():
                yield name, field, schema
            yield from fields(component, document, seen)
    elif isinstance(node, dict):
        for part in node.values():
            yield from fields(part, document, seen)


def test_no_field_of_a_request_lacks_a_description(document: dict[str, Any]) -> None:
    seen: set[str] = set()
    found: dict[str, str] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for component, field, schema in fields(operation.get("requestBody", {}), document, seen):
                found[f"{component}.{field}"] = schema.get("description", "")
            for parameter in operation.get("parameters", ()):
                if "name" in parameter:
                    found[f"{method.upper()} {path}.{parameter['name']}"] = parameter.get("description", "")
    assert len(found) > 250
    assert [name for name, text in found.items() if not text.strip()] == []
    names = {name.rpartition(".")[2] for name in found}
    assert [key for key in REQUEST_FIELDS if key not in found and key not in names] == [], "explained, and not there"


def test_the_page_shows_what_the_fields_mean(document: dict[str, Any]) -> None:
    page = html.unescape(re.sub(r"<[^>]+>", "", render_page(document)))
    for name in ("allowed_payment_method_types", "force_3ds", "customer_business_name", "reason"):
        words = REQUEST_FIELDS[name].replace("`", "").split(". ")[0]
        assert words in page, name


def test_test_cards_do_what_the_reference_says() -> None:
    text = GUIDES["POST /payments"]
    said = dict(re.findall(r"`(\d{15,16})` (pays|is declined|lacks funds|has another security code|is an)", text))
    assert said == {
        "4242424242424242": "pays",
        "4000000000000002": "is declined",
        "4000000000009995": "lacks funds",
        "4000000000000127": "has another security code",
        "378282246310005": "is an",
    }
    ends = {number: card and (card.outcome, card.error_code) for number in said for card in [by_number(number)]}
    assert ends == {
        "4242424242424242": ("succeed", None),
        "4000000000000002": ("decline", "GENERIC_DECLINE"),
        "4000000000009995": ("decline", "INSUFFICIENT_FUNDS"),
        "4000000000000127": ("decline", "INCORRECT_CVC"),
        "378282246310005": ("succeed", None),
    }


def test_the_guides_that_are_named_exist(document: dict[str, Any]) -> None:
    root = Path(__file__).resolve().parents[3]
    for operation, text in GUIDES.items():
        method, path = operation.split(" ")
        assert text in document["paths"][path][method.lower()]["description"]
        guides = re.findall(r"`(docs/[\w.]+)`", text)
        assert guides and all((root / guide).is_file() for guide in guides)
