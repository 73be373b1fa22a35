"""A wrong value of an enumeration is answered with those that are right, wherever it is."""

from typing import Any

import pytest

from harness import Merchant
from nicobar.api.allowed_values import allowed_values
from nicobar.wire.catalog.products import ProductCreate
from nicobar.wire.payments.payments import PaymentCreate

PAYMENT: dict[str, Any] = {
    "billing": {"country": "DE"},
    "customer": {"email": "ada@example.com"},
    "product_cart": [{"product_id": "pdt_x", "quantity": 1}],
}
CATEGORIES = "digital_products, e_book, edtech, live_tutoring, saas"
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
