"""GET /payments/{payment_id}/methods: one decision for each type, as the contract's table has it, with its reason."""

from typing import Any

import httpx
import pytest

from harness import Merchant
from nicobar.core.customers.buyer import Address
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.runtime import Runtime
from nicobar.reference import methods
from orders import line, order, place

CARDS_AND_WALLETS = "credit debit apple_pay google_pay"


async def placed(runtime: Runtime, merchant: Merchant, country: str, currency: str, total: int, **changes: Any) -> str:
    lines = [line(0, total, 0, 0)]
    stored = await place(
        runtime,
        order(runtime, merchant.tenant, lines, currency=currency, billing=Address(country), **changes),
    )
    return stored.payment_id


async def decisions(client: httpx.AsyncClient, payment_id: str) -> dict[str, dict[str, Any]]:
    response = await client.get(f"/payments/{payment_id}/methods")
    assert response.status_code == 200
    items = response.json()["items"]
    assert [item["payment_method_type"] for item in items] == [method.type for method in methods.ALL]
    for item in items:
        assert item["offered"] == (item["rule"] == "offered")
        assert item["sentence"].endswith(".")
    return {item["payment_method_type"]: item for item in items}


@pytest.mark.parametrize(
    ("country", "currency", "total", "more"),
    [
        ("US", "USD", 5000, "amazon_pay cashapp ach crypto_currency we_chat_pay"),
        ("US", "USD", 5001, "amazon_pay cashapp ach crypto_currency we_chat_pay klarna afterpay_clearpay"),
        ("GB", "GBP", 2000, "revolut_pay"),
        ("GB", "GBP", 9000, "revolut_pay klarna afterpay_clearpay"),
        ("DE", "EUR", 2000, "sepa satispay"),
        ("NL", "EUR", 9000, "sepa satispay ideal klarna"),
        ("PL", "PLN", 2000, "blik"),
        ("BR", "BRL", 2000, "pix"),
        ("KR", "KRW", 20_000, "payco naver_pay kakao_pay"),
        ("CN", "CNY", 2000, "we_chat_pay"),
        ("JP", "JPY", 20_000, ""),
    ],
)
async def test_the_table_of_defaults(
    merchant: Merchant, runtime: Runtime, country: str, currency: str, total: int, more: str
) -> None:
    payment_id = await placed(runtime, merchant, country, currency, total)
    found = await decisions(merchant.client, payment_id)
    offered = {name for name, decision in found.items() if decision["offered"]}
    assert offered == set(f"{CARDS_AND_WALLETS} {more}".split())


async def test_india_pays_by_card_and_upi(merchant: Merchant, runtime: Runtime) -> None:
    found = await decisions(merchant.client, await placed(runtime, merchant, "IN", "INR", 50_000))
    assert [name for name, decision in found.items() if decision["offered"]] == ["credit", "debit", "upi_collect"]


async def test_a_business_in_britain_may_pay_by_invoice(merchant: Merchant, runtime: Runtime) -> None:
    payment_id = await placed(runtime, merchant, "GB", "GBP", 2000, options={"tax_id": "GB980780684"})
    found = await decisions(merchant.client, payment_id)
    assert found["billie"]["offered"]
    consumer = await decisions(merchant.client, await placed(runtime, merchant, "GB", "GBP", 2000))
    assert consumer["billie"]["sentence"] == "Billie (B2B) is for businesses, and the payment has no tax id."


async def test_each_reason_in_words(merchant: Merchant, runtime: Runtime) -> None:
    await change_setting(runtime, merchant.tenant, "disabled_payment_methods", "cashapp")
    options = {"allowed_payment_method_types": ["credit", "klarna", "cashapp", "ideal", "sepa", "affirm"]}
    payment_id = await placed(runtime, merchant, "US", "USD", 2400, options=options)
    found = await decisions(merchant.client, payment_id)
    shown = {
        name: (found[name]["rule"], found[name]["minimum_amount"], found[name]["sentence"])
        for name in ("credit", "affirm", "cashapp", "ach", "ideal", "klarna")
    }
    assert shown == {
        "credit": ("offered", 50, "Credit card is offered: nothing speaks against it."),
        "affirm": (
            "not_in_service",
            None,
            "Affirm is not in service: lists may name it, and no customer is offered it.",
        ),
        "cashapp": (
            "disabled",
            None,
            "The seller has switched Cash App Pay off, by the setting disabled_payment_methods.",
        ),
        "ach": (
            "allow_list",
            None,
            "The payment's allowed_payment_method_types do not name ACH Direct Debit.",
        ),
        "ideal": ("country", None, "iDEAL cannot be used with a billing address in United States."),
        "klarna": ("minimum", 5001, "The total is below the smallest amount for Klarna, which is $50.01."),
    }
    in_dollars = await decisions(merchant.client, await placed(runtime, merchant, "NL", "USD", 2400))
    assert in_dollars["ideal"]["sentence"] == (
        "iDEAL cannot be used to pay in USD with a billing address in Netherlands."
    )
    free = await decisions(merchant.client, await placed(runtime, merchant, "US", "USD", 0))
    assert free["ach"]["sentence"] == "The total is zero, so there is nothing to pay with ACH Direct Debit."
    assert free["credit"]["offered"]


async def test_without_a_live_processor_nothing_is_offered(merchant: Merchant, runtime: Runtime) -> None:
    live = order(runtime, merchant.live_tenant, [line(0, 2400, 0, 0)])
    stored = await place(runtime, live)
    found = await decisions(merchant.live_client, stored.payment_id)
    assert {decision["rule"] for decision in found.values()} == {"processor", "not_in_service"}
    assert found["credit"]["sentence"] == "No processor that is configured for live payments can run Credit card."


async def test_the_head_of_the_answer_and_the_form_of_an_item(merchant: Merchant, runtime: Runtime) -> None:
    payment_id = await placed(runtime, merchant, "US", "USD", 2400)
    answer = (await merchant.read_only_client.get(f"/payments/{payment_id}/methods")).json()
    items = answer.pop("items")
    assert answer == {"payment_id": payment_id, "country": "US", "currency": "USD", "total_amount": 2400}
    assert items[0] == {
        "payment_method_type": "ach",
        "payment_method": "bank_debit",
        "name": "ACH Direct Debit",
        "offered": True,
        "rule": "offered",
        "minimum_amount": 50,
        "sentence": "ACH Direct Debit is offered: nothing speaks against it.",
    }


async def test_the_payment_of_another_business_is_not_found(
    merchant: Merchant, other_merchant: Merchant, runtime: Runtime
) -> None:
    payment_id = await placed(runtime, merchant, "US", "USD", 2400)
    for client, path in (
        (other_merchant.client, payment_id),
        (merchant.live_client, payment_id),
        (merchant.client, "x"),
    ):
        refused = await client.get(f"/payments/{path}/methods")
        assert (refused.status_code, refused.json()["code"]) == (404, "NOT_FOUND")


async def created(merchant: Merchant, price: int, **changes: Any) -> httpx.Response:
    """Ask for a payment for one product of this price in dollars (or in the currency of `changes`)."""
    currency = changes.pop("currency", "USD")
    product = {
        "name": "Field Guide",
        "tax_category": "e_book",
        "price": {"type": "one_time_price", "currency": currency, "price": price},
    }
    product_id = (await merchant.client.post("/products", json=product)).json()["product_id"]
    body = {
        "billing": {"country": changes.pop("country", "US")},
        "customer": {"email": "ana@example.com"},
        "product_cart": [{"product_id": product_id, "quantity": 1}],
    }
    return await merchant.client.post("/payments", json=body | changes)


@pytest.mark.parametrize(
    ("order_of", "allowed", "status"),
    [
        ({"price": 5001}, ["klarna"], 200),
        ({"price": 5000}, ["klarna"], 422),
        ({"price": 5000}, ["klarna", "debit"], 200),
        ({"price": 2400, "country": "NL", "currency": "EUR"}, ["ideal"], 200),
        ({"price": 2400, "country": "DE", "currency": "EUR"}, ["ideal"], 422),
        ({"price": 2400, "country": "NL"}, ["ideal"], 422),
        ({"price": 2400}, ["affirm", "przelewy24", "paypal"], 422),
        ({"price": 2400}, [], 422),
        ({"price": 0}, ["ideal"], 200),
        ({"price": 0}, [], 422),
    ],
)
async def test_an_allow_list_has_to_leave_something(
    merchant: Merchant, runtime: Runtime, order_of: dict[str, Any], allowed: list[str], status: int
) -> None:
    response = await created(merchant, allowed_payment_method_types=allowed, **order_of)
    assert response.status_code == status, response.text
    async with runtime.database.read() as connection:
        assert await connection.fetchval("SELECT count(*) FROM payments") == (1 if status == 200 else 0)
    if status == 422:
        assert response.json() == {
            "code": "NO_ELIGIBLE_PAYMENT_METHODS",
            "message": "allowed_payment_method_types: No eligible payment methods found",
        }


async def test_a_seller_who_takes_no_cards_sells_only_where_something_else_is_left(
    merchant: Merchant, runtime: Runtime
) -> None:
    await change_setting(runtime, merchant.tenant, "disabled_payment_methods", "credit,debit,apple_pay,google_pay")
    refused = await created(merchant, 2400, country="JP", currency="JPY")
    assert (refused.status_code, refused.json()["code"]) == (422, "NO_ELIGIBLE_PAYMENT_METHODS")
    assert refused.json()["message"] == "No eligible payment methods found"
    assert (await created(merchant, 2400, country="US")).status_code == 200
    only_cards = await created(merchant, 2400, allowed_payment_method_types=["credit", "debit"])
    assert only_cards.json()["code"] == "NO_ELIGIBLE_PAYMENT_METHODS"


async def test_a_preview_refuses_what_a_creation_refuses(merchant: Merchant) -> None:
    product = {
        "name": "Field Guide",
        "tax_category": "e_book",
        "price": {"type": "one_time_price", "currency": "USD", "price": 5000},
    }
    product_id = (await merchant.client.post("/products", json=product)).json()["product_id"]
    body = {
        "product_cart": [{"product_id": product_id, "quantity": 1}],
        "billing_address": {"country": "US"},
        "allowed_payment_method_types": ["klarna"],
    }
    refused = await merchant.client.post("/checkouts/preview", json=body)
    assert refused.json()["code"] == "NO_ELIGIBLE_PAYMENT_METHODS"
    body["allowed_payment_method_types"] = ["ach"]
    assert (await merchant.client.post("/checkouts/preview", json=body)).status_code == 200
