"""All required fields that a body lacks are named in one answer."""

from typing import Any

import pytest

from harness import Merchant
from nicobar.api.missing_fields import NAMED, missing_fields
from nicobar.flows.runtime import Runtime
from nicobar.wire.catalog.products import ProductCreate
from nicobar.wire.payments.payments import PaymentCreate
from orders import dump

REQUIRED = "Your request body is invalid. This field is required"


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/payments", {}, f"billing: {REQUIRED}, and so are: customer, product_cart."),
        (
            "/payments",
            {"billing": {}, "product_cart": [{"product_id": "pdt_1"}, {}]},
            f"billing.country: {REQUIRED}, and so are: customer, product_cart[0].quantity, product_cart[1].product_id, "
            "product_cart[1].quantity.",
        ),
        ("/refunds", {}, f"payment_id: {REQUIRED}."),
        (
            "/products",
            {"name": "Guide", "price": {"type": "one_time_price", "price": 1}},
            f"price.currency: {REQUIRED}, and so are: tax_category.",
        ),
    ],
)
async def test_all_that_is_missing_is_named(
    merchant: Merchant, runtime: Runtime, path: str, body: dict[str, Any], message: str
) -> None:
    before = await dump(runtime)
    response = await merchant.client.post(path, json=body)
    assert (response.status_code, response.json()) == (422, {"code": "INVALID_REQUEST_BODY", "message": message})
    assert await dump(runtime) == before


async def test_what_comes_behind_the_fault_may_be_no_json(merchant: Merchant) -> None:
    headers = {"content-type": "application/json"}
    body = b'{"product_cart": [{}], oops'
    response = await merchant.client.post("/payments", content=body, headers=headers)
    message = f"product_cart[0].product_id: {REQUIRED}."
    assert (response.status_code, response.json()) == (422, {"code": "INVALID_REQUEST_BODY", "message": message})


def test_only_the_kind_of_price_that_was_sent_is_looked_at() -> None:
    assert missing_fields(ProductCreate, b'{"name": "a", "tax_category": "saas", "price": {}}') == []
    assert missing_fields(ProductCreate, b'{"price": {"type": "recurring_price"}}') == [
        "name",
        "price.currency",
        "price.payment_frequency_count",
        "price.payment_frequency_interval",
        "price.subscription_period_count",
        "price.subscription_period_interval",
        "price.price",
        "tax_category",
    ]


def test_no_more_are_named_than_can_be_read() -> None:
    raw = b'{"product_cart": [' + b"{}," * 50_000 + b"{}]}"
    assert len(missing_fields(PaymentCreate, raw)) == NAMED == 20
