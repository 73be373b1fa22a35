"""The examples of the reference are such as the server gives and takes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from nicobar.api.documentation import examples
from nicobar.api.documentation.openapi import build_document
from nicobar.api.documentation.webhook_section import HOOKS
from nicobar.app import OPERATIONS
from nicobar.core.ids import SESSION_LENGTH, is_object_id, is_session_id

SOURCE: Final = Path(__file__).resolve().parents[3] / "src" / "nicobar"

PREFIXES: Final = {
    "/addons/{id}": "adn",
    "/brands/{id}": "brd",
    "/checkouts/{id}": "cks",
    "/customers/{customer_id}": "cus",
    "/customers/{customer_id}/payment-methods/{payment_method_id}": "pm",
    "/discounts/{discount_id}": "dsc",
    "/discounts/{discount_id}/customers/{customer_id}": "cus",
    "/disputes/{dispute_id}": "dp",
    "/events/{event_id}": "evt",
    "/payments/{payment_id}": "pay",
    "/products/{id}": "pdt",
    "/products/{product_id}/localized-prices/{id}": "lcp",
    "/refunds/{refund_id}": "ref",
    "/subscriptions/{subscription_id}": "sub",
    "/webhooks/{webhook_id}": "ep",
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return build_document(OPERATIONS, "https://pay.example.com", HOOKS)


def ids(node: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield name and text of every id in an example."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from ids(value, key)
    elif isinstance(node, list):
        for item in node:
            yield from ids(item, name)
    elif isinstance(node, str) and re.fullmatch(r"id|\w+_ids?", name):
        yield name, node


def example_ids(node: Any) -> Iterator[tuple[str, str]]:
    """Yield the ids of every example in a document."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from ids(value) if key == "example" else example_ids(value)
    elif isinstance(node, list):
        for item in node:
            yield from example_ids(item)


def test_the_id_in_a_path_is_of_its_kind(document: dict[str, Any]) -> None:
    found: dict[str, set[str]] = {}
    for path, operations in document["paths"].items():
        if path.endswith("id}"):
            for operation in operations.values():
                last = [each for each in operation["parameters"] if each["in"] == "path"][-1]
                found.setdefault(path, set()).add(last["example"])
    assert {path: {example.partition("_")[0] for example in shown} for path, shown in found.items()} == {
        path: {prefix} for path, prefix in PREFIXES.items()
    }
    shown = found["/checkouts/{id}"].pop()
    assert is_session_id(shown) and not is_session_id(shown.replace("cks", "che"))


def test_every_id_begins_as_the_server_makes_them(document: dict[str, Any]) -> None:
    made = {"cks", "pm"}  # a session's has another length, a method's is that of its attempt
    for path in SOURCE.rglob("*.py"):
        made |= set(re.findall(r'\bnew_id\(\s*"(\w+)"', path.read_text(encoding="utf-8")))
    assert made >= set(PREFIXES.values())
    shown = set(example_ids(document))
    assert len(shown) > 20
    wrong = [
        (name, text)
        for name, text in shown
        if name != "image_id"  # a picture's id is a UUID, as the contract has it
        and not (is_object_id(text, prefix := text.partition("_")[0]) and prefix in made)
    ]
    assert wrong == []
    assert {len(text.partition("_")[2]) for name, text in shown if name != "image_id"} == {SESSION_LENGTH}


def test_every_value_of_an_example_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    used: set[str] = set()

    class Noted(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            used.add(key)
            return super().get(key, default)

        def __getitem__(self, key: str) -> Any:
            used.add(key)
            return super().__getitem__(key)

    for name in ("_VALUES", "_PREFIXES"):
        monkeypatch.setattr(examples, name, Noted(getattr(examples, name)))
    build_document(OPERATIONS, "https://pay.example.com", HOOKS)
    assert sorted({*examples._VALUES, *examples._PREFIXES} - used) == []
