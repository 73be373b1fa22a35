"""GET of payments: the list with its filters and pages, line items, retry; and whose payments they are."""

from datetime import timedelta
from typing import Any

import pytest

from api.answers import answered
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime

PRICE: dict[str, Any] = {"type": "one_time_price", "currency": "USD", "price": 1000}


async def product(merchant: Merchant, **price: Any) -> str:
    body = {"name": "Field Guide", "description": "Birds", "tax_category": "e_book", "price": PRICE | price}
    product_id: str = (await merchant.client.post("/products", json=body)).json()["product_id"]
    return product_id


async def pay(merchant: Merchant, pdt: str, email: str = "ana@example.com", **changes: Any) -> dict[str, Any]:
    cart = [{"product_id": pdt, "quantity": 1}]
    body = {"billing": {"country": "DE"}, "customer": {"email": email}, "product_cart": cart} | changes
    return answered(await merchant.client.post("/payments", json=body))


async def listed(merchant: Merchant, **query: Any) -> list[str]:
    return [item["payment_id"] for item in answered(await merchant.client.get("/payments", params=query))["items"]]


async def test_the_keys_of_a_list_item(merchant: Merchant) -> None:
    made = await pay(merchant, await product(merchant), metadata={"order": 17})
    response = await merchant.client.get("/payments")
    (item,) = response.json()["items"]
    assert item == {
        "payment_id": made["payment_id"],
        "brand_id": merchant.business_id,
        "created_at": item["created_at"],
        "currency": "USD",
        "customer": made["customer"],
        "metadata": {"order": 17},
        "total_amount": 1000,
        "status": "requires_payment_method",
        "payment_provider": "dodo",
        "digital_products_delivered": False,
        "has_license_key": False,
        "includes_usage": False,
        "is_multi_subscription": False,
        "retry_attempt": 0,
        "service_periods": [],
        "subscription_ids": [],
        **dict.fromkeys(
            [
                "card_exp_month",
                "card_exp_year",
                "card_last_four",
                "card_network",
                "card_type",
                "charge_type",
                "checkout_session_id",
                "dispute_status",
                "invoice_id",
                "invoice_url",
                "payment_method",
                "payment_method_type",
                "refund_status",
                "subscription_id",
                "three_ds_flow",
                "three_ds_status",
                "three_ds_version",
            ]
        ),
    }


async def test_pages_count_from_zero_newest_first(merchant: Merchant, clock: FakeClock) -> None:
    pdt = await product(merchant)
    made = []
    for _ in range(12):
        clock.advance(seconds=1)
        made.append((await pay(merchant, pdt))["payment_id"])
    newest = made[::-1]
    assert await listed(merchant) == newest[:10]
    assert await listed(merchant, page_number=1) == newest[10:]
    assert await listed(merchant, page_number=2) == []
    assert await listed(merchant, page_number=2, page_size=5) == newest[10:]
    assert await listed(merchant, page_number=100, page_size=100) == []


async def test_filters(merchant: Merchant, clock: FakeClock) -> None:
    dollars, euros = await product(merchant), await product(merchant, currency="EUR")
    start = clock.now()
    first = await pay(merchant, dollars, "ana@example.com")
    middle = clock.advance(hours=1)
    second = await pay(merchant, euros, "bob@example.com")
    clock.advance(hours=1)
    third = await pay(merchant, dollars, "bob@example.com", product_cart=[{"product_id": dollars, "quantity": 0}])
    one, two, three = (made["payment_id"] for made in (first, second, third))
    assert await listed(merchant, currency="EUR") == [two]
    assert await listed(merchant, customer_id=second["customer"]["customer_id"]) == [three, two]
    assert await listed(merchant, product_id=dollars) == [three, one]
    assert await listed(merchant, status="succeeded") == [three]
    assert await listed(merchant, brand_id=merchant.business_id) == [three, two, one]
    assert await listed(merchant, created_at_gte=middle.isoformat()) == [three, two]
    assert await listed(merchant, created_at_lte=middle.isoformat()) == [two, one]
    assert await listed(merchant, created_at_lte=(middle - timedelta(microseconds=1)).isoformat()) == [one]
    assert await listed(merchant, created_at_gte=(middle + timedelta(microseconds=1)).isoformat()) == [three]
    assert await listed(merchant, created_at_gte=start.isoformat(), created_at_lte=start.isoformat()) == [one]
    assert await listed(merchant, created_at_gte=start.replace(tzinfo=None).isoformat()) == [three, two, one]
    for unknown in ("customer_id", "product_id", "brand_id", "subscription_id"):
        assert await listed(merchant, **{unknown: "unknown"}) == []
    assert await listed(merchant, unknown="ignored") == [three, two, one]


@pytest.mark.parametrize(
    "query",
    [
        {"page_size": 0},
        {"page_size": 101},
        {"page_size": "ten"},
        {"page_number": -1},
        {"page_number": 101, "page_size": 100},
        {"page_number": 10**30},
        {"status": "paid"},
        {"currency": "usd"},
        {"created_at_gte": "yesterday"},
        {"customer_id": "cus_\x00"},
    ],
)
async def test_a_query_that_cannot_be_read(merchant: Merchant, query: dict[str, Any]) -> None:
    response = await merchant.client.get("/payments", params=query)
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_QUERY_PARAMS")
    assert response.json()["message"].startswith(next(iter(query)))
    assert response.headers["x-should-retry"] == "false"


async def test_line_items(merchant: Merchant) -> None:
    pdt = await product(merchant, discount_bps=1000)
    made = await pay(merchant, pdt, product_cart=[{"product_id": pdt, "quantity": 3}])
    for query in ({}, {"currency": "USD"}):
        response = await merchant.client.get(f"/payments/{made['payment_id']}/line-items", params=query)
        assert response.json() == {
            "currency": "USD",
            "partial_refund_allowed": True,
            "items": [
                {
                    "items_id": pdt,
                    "name": "Field Guide",
                    "description": "Birds",
                    "amount": 2700,
                    "tax": 0,
                    "refundable_amount": 2700,
                }
            ],
        }
    response = await merchant.client.get(f"/payments/{made['payment_id']}/line-items", params={"currency": "EUR"})
    assert (response.status_code, response.json()["code"]) == (422, "UNSUPPORTED_CURRENCY")


async def test_lines_keep_what_was_sold(merchant: Merchant) -> None:
    pdt = await product(merchant)
    made = await pay(merchant, pdt)
    await merchant.client.patch(f"/products/{pdt}", json={"name": "Other", "price": PRICE | {"price": 5}})
    lines = (await merchant.client.get(f"/payments/{made['payment_id']}/line-items")).json()["items"]
    assert [(line["name"], line["amount"]) for line in lines] == [("Field Guide", 1000)]


async def test_a_one_time_payment_cannot_be_retried(merchant: Merchant) -> None:
    made = await pay(merchant, await product(merchant))
    state = (await merchant.client.get(f"/payments/{made['payment_id']}/retry")).json()
    assert (state["can_retry"], state["sends_allowed"], state["reason"]) == (False, 0, "UNSUPPORTED_ACTION")
    response = await merchant.client.post(f"/payments/{made['payment_id']}/retry")
    assert (response.status_code, response.json()["code"]) == (422, "UNSUPPORTED_ACTION")


async def test_other_tenants_and_modes_see_nothing(merchant: Merchant, other_merchant: Merchant) -> None:
    made = await pay(merchant, await product(merchant))
    path = f"/payments/{made['payment_id']}"
    assert (await merchant.read_only_client.get(path)).status_code == 200
    for client in (merchant.live_client, other_merchant.client, other_merchant.live_client):
        assert (await client.get("/payments")).json() == {"items": []}
        for suffix in ("", "/line-items", "/retry"):
            response = await client.get(path + suffix)
            assert (response.status_code, response.json()) == (
                404,
                {"code": "NOT_FOUND", "message": "Payment not found"},
            )


@pytest.mark.parametrize("payment_id", ["pay_unknown", "x" * 5000, "%00", "pay_%00", "%F0%9F%A6%A4"])
async def test_unknown_payments(merchant: Merchant, payment_id: str) -> None:
    response = await merchant.client.get(f"/payments/{payment_id}")
    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")


async def test_a_revoked_key_ends_within_five_seconds(merchant: Merchant, runtime: Runtime, clock: FakeClock) -> None:
    assert (await merchant.client.get("/payments")).status_code == 200
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE api_keys SET revoked_at = now()")
    assert (await merchant.client.get("/payments")).status_code == 200
    assert (await merchant.live_client.get("/payments")).status_code == 401
    clock.advance(seconds=5)
    assert (await merchant.client.get("/payments")).status_code == 401
