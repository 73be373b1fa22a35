"""A wrong value of an enumeration is answered with those that are right, wherever it is."""

from typing import Any

import pytest

from harness import Merchant
from nicobar.api.allowed_values import allowed_values
from nicobar.api.documentation.openapi import build_document
from nicobar.app import OPERATIONS
from nicobar.wire.catalog.products import ProductCreate
from nicobar.wire.patterns import EXPECTED
from nicobar.wire.payments.payments import PaymentCreate

PAYMENT: dict[str, Any] = {
    "billing": {"country": "DE"},
    "customer": {"email": "ada@example.com"},
    "product_cart": [{"product_id": "pdt_x", "quantity": 1}],
}
CATEGORIES = "digital_products, e_book, edtech, live_tutoring, saas"
METERED = {
    "type": "usage_based_price",
    "currency": "USD",
    "fixed_price": 0,
    "payment_frequency_count": 1,
    "payment_frequency_interval": "Month",
    "subscription_period_count": 1,
    "subscription_period_interval": "Year",
    "meters": [{"meter_id": "mtr_x", "price_per_unit": "1,5"}],
}
PRICE = {"type": "one_time_price", "currency": "USD", "price": 100}
STATUSES = (
    "cancelled, failed, partially_captured, partially_captured_and_capturable, processing, requires_capture, "
    "requires_confirmation, requires_customer_action, requires_merchant_action, requires_payment_method, succeeded"
)


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (
            "/products",
            {"name": "Guide", "tax_category": "books", "price": PRICE},
            f"tax_category: Your request body is invalid. Invalid enum value 'books'; it is one of: {CATEGORIES}.",
        ),
        (
            "/products",
            {"name": "Guide", "tax_category": "e_book", "price": PRICE | {"type": "once"}},
            "price.type: Your request body is invalid. Invalid value 'once'; it is one of: one_time_price, "
            "recurring_price, usage_based_price.",
        ),
        (
            "/products",
            {"name": "Guide", "tax_category": "e_book", "price": {**PRICE, "currency": "EURO"}},
            "price.currency: Your request body is invalid. Invalid enum value 'EURO'; it is one of: AED, ALL, ",
        ),
        (
            "/payments",
            PAYMENT | {"allowed_payment_method_types": ["credit", "cash"]},
            "allowed_payment_method_types[1]: Your request body is invalid. Invalid enum value 'cash'; it is one of: "
            "ach, affirm, ",
        ),
        (
            "/payments",
            PAYMENT | {"billing": {"country": "UK"}},
            "billing.country: Your request body is invalid. Invalid enum value 'UK'; it is one of: AD, AE, ",
        ),
        (
            "/payments",
            PAYMENT | {"metadata": {"order id": "17"}},
            "metadata: Your request body is invalid. Expected `str` of letters from A to Z or a to z, digits, `_` and "
            "`-` alone.",
        ),
        (
            "/products",
            {"name": "Guide", "tax_category": "e_book", "price": METERED},
            "price.meters[0].price_per_unit: Your request body is invalid. Expected `str` with a number such as "
            "`12.5`: at most 5 digits, and 12 after the point.",
        ),
    ],
)
async def test_a_wrong_value_in_a_body(merchant: Merchant, path: str, body: dict[str, Any], message: str) -> None:
    response = await merchant.client.post(path, json=body)
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_REQUEST_BODY")
    answered = response.json()["message"]
    assert answered == message if message.endswith(".") else answered.startswith(message)
    assert (await merchant.client.get(path)).json() == {"items": []}


async def test_a_wrong_value_in_a_query(merchant: Merchant) -> None:
    response = await merchant.client.get("/payments", params={"status": "paid"})
    assert response.status_code == 422
    assert response.json()["message"].endswith(f"Invalid enum value 'paid'; it is one of: {STATUSES}.")


def test_where_there_is_no_list_there_are_no_values() -> None:
    assert len(allowed_values(PaymentCreate, ".billing.country")) == 249
    assert allowed_values(ProductCreate, ".price.type") == ["one_time_price", "recurring_price", "usage_based_price"]
    for path in ("", ".name", ".price.unknown", ".metadata[...]", "[0]", ".price[0].type"):
        assert allowed_values(ProductCreate, path) == []


def test_every_pattern_is_said_in_words() -> None:
    def patterns(node: Any) -> set[str]:
        if isinstance(node, dict):
            own = {node["pattern"]} if isinstance(node.get("pattern"), str) else set()
            return own.union(*map(patterns, node.values()))
        return set().union(*map(patterns, node)) if isinstance(node, list) else set()

    assert patterns(build_document(OPERATIONS, "https://pay.example.com")) == set(EXPECTED)
