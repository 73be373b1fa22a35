"""Every refusal that the server can give is told with its status where it is given."""

import ast
from pathlib import Path
from typing import Any, Final

import pytest

from nicobar.api.documentation.openapi import build_document
from nicobar.api.order_problems import DUE_PROBLEMS
from nicobar.app import OPERATIONS
from nicobar.core.problems import CATALOGUE

SOURCE: Final = Path(__file__).resolve().parents[3] / "src" / "nicobar"

NOT_OF_AN_OPERATION: Final = {
    "CHECKOUT_SESSION_CONSUMED": "the page of a session turns it into the page of its payment",
    "METHOD_NOT_ALLOWED": "no operation has the path and the method; the introduction tells of it",
}

CHARGING: Final = {
    *("POST /payments", "POST /checkouts", "POST /checkouts/preview", "POST /subscriptions"),
    *(f"POST /subscriptions/{{subscription_id}}/{call}" for call in ("change-plan", "change-plan/preview", "charge")),
    *("POST /subscriptions/{subscription_id}/update-payment-method", "POST /payments/{payment_id}/retry"),
}
"""Operations that take an amount to a currency and charge it, or tell what they would charge."""


@pytest.fixture(scope="module")
def told() -> dict[str, set[tuple[str, int]]]:
    """Return the refusals of each operation."""
    document = build_document(OPERATIONS, "https://pay.example.com")

    def examples(response: dict[str, Any]) -> set[str]:
        found = (
            document["components"]["responses"][response["$ref"].rpartition("/")[2]] if "$ref" in response else response
        )
        return set(found.get("content", {}).get("application/json", {}).get("examples", {}))

    return {
        f"{method.upper()} {path}": {
            (code, int(status)) for status, response in operation["responses"].items() for code in examples(response)
        }
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def test_every_code_is_told_by_an_operation(told: dict[str, set[tuple[str, int]]]) -> None:
    codes = {code for refusals in told.values() for code, _ in refusals}
    assert set(CATALOGUE) - codes == set(NOT_OF_AN_OPERATION)
    assert codes <= set(CATALOGUE)


def test_a_code_with_another_status_than_its_own_is_told_with_it(told: dict[str, set[tuple[str, int]]]) -> None:
    pairs = {pair for refusals in told.values() for pair in refusals}
    raised = {
        (node.args[0].value, keyword.value.value)
        for layer in ("api", "core", "flows", "storage")
        for path in (SOURCE / layer).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem"
        if isinstance(node.args[0], ast.Constant)
        for keyword in node.keywords
        if keyword.arg == "status" and isinstance(keyword.value, ast.Constant)
    }
    assert len(raised) >= 8
    assert raised - pairs == set()


def test_a_charge_tells_that_its_amount_may_not_fit(told: dict[str, set[tuple[str, int]]]) -> None:
    due = {(code, CATALOGUE[code].status) for code in DUE_PROBLEMS}
    assert {code for code, _ in due} == {
        *("AMOUNT_NOT_CHARGEABLE", "EXCHANGE_RATE_NOT_FOUND", "INTEGER_CONVERSION_FAILURE"),
    }
    assert {call for call, refusals in told.items() if due <= refusals} == CHARGING
    part = ("AMOUNT_NOT_CHARGEABLE", CATALOGUE["AMOUNT_NOT_CHARGEABLE"].status)
    assert {call for call, refusals in told.items() if part in refusals} == {
        *CHARGING,
        *("POST /refunds", "POST /refunds/preview"),
    }


def test_refusals_of_one_call_alone(told: dict[str, set[tuple[str, int]]]) -> None:
    scheduled = told["DELETE /subscriptions/{subscription_id}/change-plan/scheduled"]
    assert {refusal for refusal in scheduled if refusal[0] == "NOT_FOUND"} == {("NOT_FOUND", 422)}
    forget = told["DELETE /customers/{customer_id}/payment-methods/{payment_method_id}"]
    assert ("UNSUPPORTED_ACTION", 409) in forget


def test_a_key_is_forbidden_what_changes_something_and_the_secret_of_webhooks(
    told: dict[str, set[tuple[str, int]]],
) -> None:
    forbidden = {call for call, refusals in told.items() if ("UNAUTHORIZED", 403) in refusals}
    previews = {"POST /checkouts/preview", "POST /refunds/preview"}
    previews.add("POST /subscriptions/{subscription_id}/change-plan/preview")
    writing = {call for call in told if not call.startswith("GET ")} - previews
    assert forbidden == writing | {"GET /webhooks/{webhook_id}/secret"}


def test_a_refused_key_is_told_for_every_reason() -> None:
    document = build_document(OPERATIONS, "https://pay.example.com")
    responses = document["components"]["responses"]

    def summary(name: str) -> str:
        found = responses[name]["content"]["application/json"]["examples"]["UNAUTHORIZED"]["summary"]
        assert isinstance(found, str)
        return found

    assert summary("Unauthorized") == "No API key, or an unknown, expired or revoked one."
    assert summary("ReadOnlyKey") == "The API key is read-only, or its scopes do not cover this."
    about = document["components"]["securitySchemes"]["apiKey"]["description"]
    assert (
        "A read-only key may only read and ask for previews, and a key with scopes may write only what they name."
        in about
    )
    assert "The secret of a webhook endpoint is read only by keys that may write webhooks." in about
    assert "A key may have an end, after which it opens nothing." in about
