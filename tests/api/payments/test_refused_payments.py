"""POST /payments: what it refuses, in which order, with which words; and that a refusal stores nothing."""

from typing import Any

import httpx
import pytest

from api.subscriptions.subscribing import PRICE as MONTHLY
from harness import Merchant, client_for
from nicobar.app import create_app
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Database

PRICE: dict[str, Any] = {"type": "one_time_price", "currency": "USD", "price": 1999}
RECURRING: dict[str, Any] = MONTHLY | {"price": 900}


async def product(merchant: Merchant, brand_id: str | None = None, **price: Any) -> str:
    body = {"name": "Field Guide", "tax_category": "e_book", "price": PRICE | price, "brand_id": brand_id}
    response = await merchant.client.post("/products", json=body)
    assert response.status_code == 200, response.text
    product_id: str = response.json()["product_id"]
    return product_id


def request(pdt: str, **changes: Any) -> dict[str, Any]:
    cart = [{"product_id": pdt, "quantity": 1}]
    return {"billing": {"country": "DE"}, "customer": {"email": "ana@example.com"}, "product_cart": cart} | changes


async def stored(runtime: Runtime) -> tuple[int, int, int]:
    async with runtime.database.read() as connection:
        return tuple(
            [
                await connection.fetchval(f"SELECT count(*) FROM {table}")
                for table in ("payments", "payment_lines", "customers")
            ]
        )


async def refusal(
    merchant: Merchant, runtime: Runtime, body: dict[str, Any], status: int, code: str, path: str
) -> httpx.Response:
    before = await stored(runtime)
    response = await merchant.client.post("/payments", json=body)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert set(response.json()) == {"code", "message"}
    assert response.json()["message"].startswith(path)
    assert response.headers["x-should-retry"] == "false"
    assert response.headers["content-type"] == "application/json"
    assert await stored(runtime) == before
    return response


SHAPE_ERRORS: list[tuple[dict[str, Any], str]] = [
    ({"billing": None}, "billing"),
    ({"billing": {}}, "billing.country"),
    ({"billing": {"country": "XX"}}, "billing.country"),
    ({"billing": {"country": "DE", "city": "x" * 251}}, "billing.city"),
    ({"customer": {}}, "customer"),
    ({"customer": {"customer_id": " "}}, "customer"),
    ({"customer": {"email": "nobody"}}, "customer.email"),
    ({"customer": {"email": "a@example.com", "phone_number": "+1"}}, "customer.phone_number"),
    ({"customer": {"email": 7}}, "customer.email"),
    ({"product_cart": {}}, "product_cart"),
    ({"product_cart": [{"quantity": 1}]}, "product_cart[0].product_id"),
    ({"product_cart": [{"product_id": "pdt_1"}]}, "product_cart[0].quantity"),
    ({"product_cart": [{"product_id": "pdt_1", "quantity": -1}]}, "product_cart[0].quantity"),
    ({"product_cart": [{"product_id": "pdt_1", "quantity": 10_001}]}, "product_cart[0].quantity"),
    ({"product_cart": [{"product_id": "pdt_1", "quantity": 1.5}]}, "product_cart[0].quantity"),
    ({"product_cart": [{"product_id": "pdt_1", "quantity": 1, "amount": 2**31}]}, "product_cart[0].amount"),
    ({"product_cart": [{"product_id": "pdt_1", "quantity": 1}] * 101}, "product_cart"),
    ({"allowed_payment_method_types": ["wechat_pay"]}, "allowed_payment_method_types[0]"),
    ({"billing_currency": "EURO"}, "billing_currency"),
    ({"discount_codes": ["A" * 3] * 21}, "discount_codes"),
    ({"discount_codes": ["spring", "SPRING "]}, "discount_codes[1]"),
    ({"discount_code": "SPRING", "discount_codes": ["SPRING"]}, "discount_code"),
    ({"discount_code": "SPRING", "discount_codes": []}, "discount_code"),
    ({"customer_business_name": "Dodo GmbH"}, "customer_business_name"),
    ({"customer_business_name": "D" * 251, "tax_id": "x"}, "customer_business_name"),
    ({"metadata": {"a b": "1"}}, "metadata"),
    ({"metadata": {"k" * 41: "1"}}, "metadata"),
    ({"metadata": {"k": "v" * 501}}, "metadata[...]"),
    ({"metadata": {"k": {}}}, "metadata[...]"),
    ({"metadata": {"k": None}}, "metadata[...]"),
    ({"metadata": []}, "metadata"),
    ({"return_url": "example.com/thanks"}, "return_url"),
    ({"return_url": "javascript:alert(1)"}, "return_url"),
    ({"return_url": "https://"}, "return_url"),
    ({"return_url": "https://example.com:port/"}, "return_url"),
    ({"return_url": "https://example.com/a b"}, "return_url"),
    ({"return_url": "https://example.com/" + "a" * 2048}, "return_url"),
    ({"force_3ds": "yes"}, "force_3ds"),
    ({"payment_link": 1}, "payment_link"),
    ({"require_phone_number": True}, "customer.phone_number"),
]


@pytest.mark.parametrize(("changes", "path"), SHAPE_ERRORS)
async def test_shapes(merchant: Merchant, runtime: Runtime, changes: dict[str, Any], path: str) -> None:
    pdt = await product(merchant)
    await refusal(merchant, runtime, request(pdt) | changes, 422, "INVALID_REQUEST_BODY", path)


async def test_an_empty_cart_has_its_own_code(merchant: Merchant, runtime: Runtime) -> None:
    await refusal(merchant, runtime, request("pdt_1", product_cart=[]), 422, "PRODUCT_CART_EMTPY", "")


async def test_fifty_pairs_of_metadata_and_not_one_more(merchant: Merchant, runtime: Runtime) -> None:
    pdt = await product(merchant)
    pairs = {f"key_{index}": index for index in range(50)}
    made = await merchant.client.post("/payments", json=request(pdt, metadata=pairs))
    assert made.json()["metadata"] == pairs
    response = await refusal(
        merchant, runtime, request(pdt, metadata=pairs | {"more": 1}), 422, "MAXIMUM_KEYS_REACHED", "metadata"
    )
    assert response.json()["message"] == "metadata: Exceeds 50 key-value pairs"


async def test_unknown_objects(merchant: Merchant, other_merchant: Merchant, runtime: Runtime) -> None:
    pdt, foreign = await product(merchant), await product(other_merchant)
    mine = (await merchant.client.post("/customers", json={"email": "b@example.com", "name": "B"})).json()[
        "customer_id"
    ]
    theirs = (await other_merchant.client.post("/customers", json={"email": "a@b.org", "name": "A"})).json()[
        "customer_id"
    ]
    for unknown in ("pdt_unknown", foreign, "", "\N{DODO}"):
        body = request(pdt, product_cart=[{"product_id": pdt, "quantity": 1}, {"product_id": unknown, "quantity": 1}])
        await refusal(merchant, runtime, body, 404, "NOT_FOUND", "product_cart[1].product_id")
    for unknown in ("cus_unknown", theirs):
        body = request(pdt, customer={"customer_id": unknown})
        await refusal(merchant, runtime, body, 404, "NOT_FOUND", "customer.customer_id")
    body = request(pdt, customer={"customer_id": mine}, payment_method_id="pm_unknown")
    await refusal(merchant, runtime, body, 404, "NOT_FOUND", "payment_method_id")


async def test_a_saved_method_needs_its_customer(merchant: Merchant, runtime: Runtime) -> None:
    body = request(await product(merchant), payment_method_id="pm_1")
    await refusal(merchant, runtime, body, 422, "INVALID_REQUEST_PARAMETERS", "payment_method_id")


async def test_products_that_cannot_be_sold_once(merchant: Merchant, runtime: Runtime) -> None:
    archived = await product(merchant)
    await merchant.client.delete(f"/products/{archived}")
    response = await refusal(
        merchant, runtime, request(archived), 422, "PRODUCT_IS_DELETED", "product_cart[0].product_id"
    )
    assert response.json()["message"].endswith(f"Product {archived} is archived")
    recurring = await product(merchant, **RECURRING)
    path = "product_cart[0].product_id"
    response = await refusal(merchant, runtime, request(recurring), 422, "UNSUPPORTED_ACTION", path)
    assert response.json()["message"] == (
        f"{path}: Product {recurring} is not a one-time product; POST /subscriptions and POST /checkouts sell "
        "subscriptions"
    )
    metered = {name: value for name, value in RECURRING.items() if name != "price"}
    usage = await merchant.client.post(
        "/products",
        json={
            "name": "Cloud",
            "tax_category": "saas",
            "price": metered | {"type": "usage_based_price", "fixed_price": 0},
        },
    )
    by_use = usage.json()["product_id"]
    response = await refusal(merchant, runtime, request(by_use), 422, "UNSUPPORTED_ACTION", path)
    assert response.json()["message"] == (
        f"{path}: Product {by_use} is not a one-time product; this server has no meters, by which it is sold"
    )


async def test_a_product_without_a_name(merchant: Merchant, runtime: Runtime) -> None:
    pdt = await product(merchant)
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE products SET name = ' '")
    await refusal(merchant, runtime, request(pdt), 422, "MISSING_PRODUCT_INFORMATION", "product_cart[0].product_id")


async def test_without_a_database(runtime: Runtime) -> None:
    """Nothing was decided, so clients may try again: the answer does not forbid it."""
    gone = runtime._replace(database=Database("postgresql://nobody@127.0.0.1:1/nothing"))
    async with client_for(create_app(gone), "nicobar_test_key") as client:
        response = await client.post("/payments", json=request("pdt_1"))
    assert (response.status_code, response.json()) == (
        503,
        {"code": "SERVICE_UNAVAILABLE", "message": "The server cannot answer at the moment; try again"},
    )
    assert "x-should-retry" not in response.headers


async def test_one_brand_for_a_cart(merchant: Merchant, runtime: Runtime) -> None:
    brand_id = (await merchant.client.post("/brands", json={"name": "Second"})).json()["brand_id"]
    first, second = await product(merchant), await product(merchant, brand_id=brand_id)
    cart = [{"product_id": first, "quantity": 1}, {"product_id": second, "quantity": 1}]
    await refusal(merchant, runtime, request(first, product_cart=cart), 422, "BRAND_MISMATCH", "product_cart")
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE brands SET enabled = false WHERE brand_id = $1", brand_id)
    await refusal(merchant, runtime, request(second), 422, "BRAND_NOT_ENABLED", "product_cart")


async def test_currencies(merchant: Merchant, runtime: Runtime) -> None:
    dollars, euros = await product(merchant), await product(merchant, currency="EUR")
    cart = [{"product_id": dollars, "quantity": 1}, {"product_id": euros, "quantity": 1}]
    await refusal(merchant, runtime, request(dollars, product_cart=cart), 422, "UNSUPPORTED_CURRENCY", "product_cart")
    await refusal(
        merchant, runtime, request(await product(merchant, currency="CUP")), 422, "UNSUPPORTED_CURRENCY", "product_cart"
    )


async def test_pay_what_you_want_amounts(merchant: Merchant, runtime: Runtime) -> None:
    pdt = await product(merchant, price=500, pay_what_you_want=True)
    path = "product_cart[0].amount"
    await refusal(merchant, runtime, request(pdt), 422, "PAY_AS_YOU_WANT_AMOUNT_REQUIRED", path)
    low = request(pdt, product_cart=[{"product_id": pdt, "quantity": 1, "amount": 499}])
    await refusal(merchant, runtime, low, 422, "REQUEST_AMOUNT_BELOW_MINIMUM", path)


async def test_a_total_below_the_smallest_charge(merchant: Merchant, runtime: Runtime) -> None:
    body = request(await product(merchant, price=40))
    response = await refusal(merchant, runtime, body, 422, "TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT", "")
    assert response.json()["message"] == "Minimum amount of $0.50 is required to process payment"


async def test_a_total_above_32_bits(merchant: Merchant, runtime: Runtime) -> None:
    pdt = await product(merchant, price=214_749)
    body = request(pdt, product_cart=[{"product_id": pdt, "quantity": 10_000}])
    await refusal(merchant, runtime, body, 422, "INTEGER_CONVERSION_FAILURE", "")
    dear = await product(merchant, price=2_147_483_647)
    body = request(dear, product_cart=[{"product_id": dear, "quantity": 10_000}] * 100)
    await refusal(merchant, runtime, body, 422, "INTEGER_CONVERSION_FAILURE", "")


async def test_an_invalid_tax_id(merchant: Merchant, runtime: Runtime) -> None:
    body = request(await product(merchant), tax_id="DE123456789")
    response = await refusal(merchant, runtime, body, 422, "INVALID_TAX_ID", "tax_id")
    assert response.json()["message"].startswith("tax_id: Tax Id is invalid. For Germany give the USt-IdNr, such as DE")


async def test_an_unknown_discount_code(merchant: Merchant, runtime: Runtime) -> None:
    pdt = await product(merchant)
    for codes in ({"discount_code": "nope"}, {"discount_codes": ["nope"]}):
        response = await refusal(
            merchant, runtime, request(pdt, **codes), 422, "INVALID_DISCOUNT_CODE", "discount_code"
        )
        assert "NOPE" in response.json()["message"]


async def test_an_allow_list_that_leaves_nothing(merchant: Merchant, runtime: Runtime) -> None:
    pdt = await product(merchant)
    for allowed in ([], ["przelewy24"], ["sunbit"], ["sunbit", "przelewy24"]):
        body = request(pdt, allowed_payment_method_types=allowed)
        await refusal(merchant, runtime, body, 422, "NO_ELIGIBLE_PAYMENT_METHODS", "allowed_payment_method_types")


async def test_checks_come_in_the_order_of_the_contract(merchant: Merchant, runtime: Runtime) -> None:
    """Every rung of the ladder is broken at once; mending the first reveals the second, and so on."""
    free = await product(merchant, price=500, pay_what_you_want=True)
    body = request(
        "pdt_unknown",
        customer={"customer_id": "cus_unknown"},
        metadata={f"key_{index}": 1 for index in range(51)},
        discount_codes=["TWICE", "TWICE"],
        tax_id="DE1",
        allowed_payment_method_types=[],
        payment_method_id="pm_unknown",
        quantity="ignored",
    )
    cart = [{"product_id": free, "quantity": 1}]
    known = (await merchant.client.post("/customers", json={"email": "b@example.com", "name": "B"})).json()[
        "customer_id"
    ]
    ladder: list[tuple[str, dict[str, Any]]] = [
        ("INVALID_REQUEST_BODY", {"discount_codes": ["NOPE"]}),
        ("MAXIMUM_KEYS_REACHED", {"metadata": {}}),
        ("NOT_FOUND", {"customer": {"customer_id": known}}),
        ("NOT_FOUND", {"product_cart": cart}),
        ("INVALID_TAX_ID", {"tax_id": None}),
        ("PAY_AS_YOU_WANT_AMOUNT_REQUIRED", {"product_cart": [cart[0] | {"amount": 10_000}]}),
        ("INVALID_DISCOUNT_CODE", {"discount_codes": None}),
        ("NO_ELIGIBLE_PAYMENT_METHODS", {"allowed_payment_method_types": None}),
        ("NOT_FOUND", {"payment_method_id": None}),
    ]
    before = await stored(runtime)
    for code, mended in ladder:
        response = await merchant.client.post("/payments", json=body)
        assert response.json()["code"] == code
        body |= mended
    assert await stored(runtime) == before
    assert (await merchant.client.post("/payments", json=body)).status_code == 200


async def test_who_may_create(merchant: Merchant, app_client: httpx.AsyncClient, runtime: Runtime) -> None:
    body = request(await product(merchant))
    sentence = "You are not authorised to perform this action: "
    wrong = "the Authorization header has no Bearer key"
    told = {
        "": "there is no Authorization header",
        "Bearer ": wrong,
        merchant.key: wrong,
        f"Basic {merchant.key}": wrong,
        f"Bearer {'k' * 5000}": "the Authorization header is too long",
    }
    refusals = {header: f"{reason}. Send an API key as `Authorization: Bearer KEY`" for header, reason in told.items()}
    refusals["Bearer wrong"] = "this API key is unknown, expired or revoked"
    for header, detail in refusals.items():
        headers = {"authorization": header} if header else {}
        response = await app_client.post("/payments", json=body, headers=headers)
        message = sentence + detail
        assert (response.status_code, response.json()) == (401, {"code": "UNAUTHORIZED", "message": message})
        assert response.headers["x-should-retry"] == "false"
    response = await merchant.read_only_client.post("/payments", json=body)
    assert (response.status_code, response.json()) == (
        403,
        {"code": "UNAUTHORIZED", "message": f"{sentence}the key may only read"},
    )
    assert await stored(runtime) == (0, 0, 0)
