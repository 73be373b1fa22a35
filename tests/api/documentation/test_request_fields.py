"""Every field of every request is explained, and what the reference says of test cards is true."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

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


def described(document: dict[str, Any]) -> dict[str, str]:
    """Return the text of each field of a body and each parameter, by component or operation and name."""
    seen: set[str] = set()
    found: dict[str, str] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for component, field, schema in fields(operation.get("requestBody", {}), document, seen):
                found[f"{component}.{field}"] = schema.get("description", "")
            for parameter in operation.get("parameters", ()):
                if "name" in parameter:
                    found[f"{method.upper()} {path}.{parameter['name']}"] = parameter.get("description", "")
    return found


def test_no_field_of_a_request_lacks_a_description(document: dict[str, Any]) -> None:
    found = described(document)
    assert len(found) > 250
    assert [name for name, text in found.items() if not text.strip()] == []
    names = {name.rpartition(".")[2] for name in found}
    assert [key for key in REQUEST_FIELDS if key not in found and key not in names] == [], "explained, and not there"


_SHORT: Final = (
    "Changes nothing: every payment link is as short as the checkout script allows, with an id of 8 characters."
)
_UNMETERED: Final = "Changes nothing: this server meters nothing, and the list is empty."
_SAVED: Final = "The saved method; needed for `existing`. What is owed is charged to it at once."
_USAGE: Final = "GET /subscriptions/{subscription_id}/usage-history"
_BRAND: Final = "Id of the brand that sells; null takes the primary brand."

OF_ITS_OWN: Final = {
    "AddonUpdate.price": "Of one unit for one cycle of the plan that it is bought with, in minor units.",
    "DiscountCreate.type": "Whether a percentage or an amount of money is taken off.",
    "GET /payments.brand_id": "Lists only those of this brand.",
    "GET /products.brand_id": "Lists only those of this brand.",
    "GET /subscriptions.brand_id": "Lists only those of this brand.",
    "GET /subscriptions.status": "Lists only those of this status.",
    "MethodOfUpdate.payment_method_id": _SAVED,
    "MethodOfUpdate.type": "`new`, typed on a page, or `existing`, a saved one.",
    "MethodUpdateBody.payment_method_id": _SAVED,
    "MethodUpdateBody.type": "`new`, typed on a page, or `existing`, a saved one.",
    "PaymentCreate.short_link": _SHORT,
    "PlanChangeBody.addons": "The whole new set: null and an empty list remove all add-ons.",
    "PlanChangeBody.cancel_older_payment_link": "Changes nothing: a plan change has no link here.",
    "PlanChangeBody.collect_via_payment_link": "Only false: changes are charged to the stored method.",
    "PlanChangeBody.return_url": "Must be null: it belongs to `collect_via_payment_link`.",
    "ProductCreate.addons": "Ids of the add-ons that can be bought with it.",
    "ProductCreate.brand_id": _BRAND,
    "ProductUpdate.addons": "Ids of the add-ons that can be bought with it.",
    "ProductUpdate.brand_id": _BRAND,
    "SessionCredit.credit_entitlement_id": "Id of a credit entitlement; a line that names one is refused.",
    "SessionCredit.credits_amount": "How many credits, in a list that must be empty.",
    "SessionItemRequest.addons": "The add-ons to buy with it.",
    "SessionItemRequest.amount": "What the buyer of a pay-what-you-want line pays for a unit, in minor units.",
    "SessionItemRequest.credit_entitlements": "Must be empty: no product of this server grants credits.",
    "SubscriptionCreate.addons": "The add-ons to buy with it.",
    "SubscriptionCreate.short_link": _SHORT,
    "SubscriptionUpdate.status": "`cancelled`, `paused`, or `active` to resume.",
    f"{_USAGE}.end_date": _UNMETERED,
    f"{_USAGE}.meter_id": _UNMETERED,
    f"{_USAGE}.start_date": _UNMETERED,
}
"""Fields whose name means something else elsewhere, or that promise less here than their name does."""


def test_a_field_is_told_what_it_means_where_it_stands(document: dict[str, Any]) -> None:
    found = described(document)
    assert {name: found[name] for name in OF_ITS_OWN} == OF_ITS_OWN


def test_what_is_only_kept_belongs_to_products(document: dict[str, Any]) -> None:
    kept = {name.rpartition(".")[0] for name, text in described(document).items() if text.startswith("Stored and ret")}
    assert kept == {
        *("ProductCreate", "ProductUpdate", "UsagePriceRequest", "MeterRequest"),
        *("EntitlementLink", "CreditEntitlementLink", "DeliveryRequest"),
    }


def test_no_field_of_a_body_is_explained_as_a_filter(document: dict[str, Any]) -> None:
    filters = [name for name, text in described(document).items() if text.startswith("Lists only")]
    assert filters and [name for name in filters if not name.startswith("GET ")] == []


def test_flags_without_an_effect_are_told_as_the_guide_tells_them(document: dict[str, Any]) -> None:
    guide = (Path(__file__).resolve().parents[3] / "docs" / "sessions.md").read_text(encoding="utf-8")
    table = guide.partition("## Flags without an effect\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", table, flags=re.MULTILINE)
    assert len(rows) == 1
    found = described(document)
    told = {flag: found[f"SessionFlags.{flag}"].removeprefix("Changes nothing: ") for flag, _ in rows}
    assert {flag: text[0].upper() + text[1:] for flag, text in told.items()} == {flag: f"{why}." for flag, why in rows}


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
