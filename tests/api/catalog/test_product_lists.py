"""The list of products: order, pages, filters; and that products stay with their business and mode."""

from typing import Any

import pytest

from api.answers import answered
from harness import FakeClock, Merchant
from nicobar.core.catalog.product import OneTimePrice, RecurringPrice
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.products import get_products

PRICE: dict[str, Any] = {"type": "one_time_price", "currency": "USD", "price": 1999}
MONTHLY: dict[str, Any] = {
    "type": "recurring_price",
    "currency": "EUR",
    "price": 900,
    "payment_frequency_count": 1,
    "payment_frequency_interval": "Month",
    "subscription_period_count": 10,
    "subscription_period_interval": "Year",
}
METERED: dict[str, Any] = {
    "type": "usage_based_price",
    "currency": "JPY",
    "fixed_price": 120,
    "payment_frequency_count": 1,
    "payment_frequency_interval": "Week",
    "subscription_period_count": 1,
    "subscription_period_interval": "Year",
    "tax_inclusive": True,
}


async def create(merchant: Merchant, clock: FakeClock, name: str, **changes: Any) -> str:
    clock.advance(minutes=1)
    body = {"name": name, "tax_category": "saas", "price": PRICE} | changes
    response = await merchant.client.post("/products", json=body)
    assert response.status_code == 200, response.text
    product_id: str = response.json()["product_id"]
    return product_id


async def listed(merchant: Merchant, **query: Any) -> list[str]:
    return [item["name"] for item in answered(await merchant.client.get("/products", params=query))["items"]]


async def test_an_item_has_every_key(merchant: Merchant, clock: FakeClock) -> None:
    product_id = await create(
        merchant,
        clock,
        "Guide",
        description="Birds",
        price=METERED,
        metadata={"a": 1},
        entitlements=[{"entitlement_id": "ent_1"}],
        pricing_mode="by_currency",
    )
    item = (await merchant.client.get("/products")).json()["items"][0]
    whole = (await merchant.client.get(f"/products/{product_id}")).json()
    assert item == {
        "product_id": product_id,
        "business_id": merchant.business_id,
        "name": "Guide",
        "description": "Birds",
        "image": None,
        "tax_category": "saas",
        "is_recurring": True,
        "currency": "JPY",
        "price": 120,
        "price_detail": whole["price"],
        "tax_inclusive": True,
        "pricing_mode": "by_currency",
        "metadata": {"a": 1},
        "entitlements": whole["entitlements"],
        "created_at": "2026-03-14T15:10:26.535897Z",
        "updated_at": "2026-03-14T15:10:26.535897Z",
    }


async def test_newest_first_in_pages(merchant: Merchant, clock: FakeClock) -> None:
    for number in range(12):
        await create(merchant, clock, f"P{number}")
    assert await listed(merchant) == [f"P{number}" for number in range(11, 1, -1)]
    assert await listed(merchant, page_number=1) == ["P1", "P0"]
    assert await listed(merchant, page_size=5, page_number=1) == ["P6", "P5", "P4", "P3", "P2"]
    assert await listed(merchant, page_size=100) == [f"P{number}" for number in range(11, -1, -1)]
    assert await listed(merchant, page_number=2) == []


@pytest.mark.parametrize(
    "query",
    [
        {"page_size": "0"},
        {"page_size": "101"},
        {"page_number": "-1"},
        {"page_number": "one"},
        {"page_number": "10000", "page_size": "100"},
        {"archived": "maybe"},
        {"recurring": "2"},
    ],
)
async def test_an_unreadable_query_is_refused(merchant: Merchant, query: dict[str, str]) -> None:
    response = await merchant.client.get("/products", params=query)
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_QUERY_PARAMS")
    assert response.json()["message"].startswith(f"{next(iter(query))}: ")


async def test_filters(merchant: Merchant, clock: FakeClock) -> None:
    brand = (await merchant.client.post("/brands", json={"name": "Atlas"})).json()["brand_id"]
    await create(merchant, clock, "once")
    await create(merchant, clock, "monthly", price=MONTHLY, brand_id=brand)
    await create(merchant, clock, "metered", price=METERED)
    gone = await create(merchant, clock, "gone", brand_id=brand)
    await merchant.client.delete(f"/products/{gone}")
    assert await listed(merchant) == ["metered", "monthly", "once"]
    assert await listed(merchant, archived="false") == ["metered", "monthly", "once"]
    assert await listed(merchant, archived="true") == ["gone"]
    assert await listed(merchant, recurring="true") == ["metered", "monthly"]
    assert await listed(merchant, recurring="false") == ["once"]
    assert await listed(merchant, brand_id=brand) == ["monthly"]
    assert await listed(merchant, brand_id=merchant.business_id) == ["metered", "once"]
    assert await listed(merchant, brand_id=brand, archived="true", recurring="false") == ["gone"]
    assert await listed(merchant, brand_id="brd_unknown") == []
    assert await listed(merchant, locale="fr") == ["metered", "monthly", "once"]
    assert await listed(merchant, locale="xx", unknown="1") == ["metered", "monthly", "once"]


async def test_a_locale_gets_the_base_text(merchant: Merchant, clock: FakeClock) -> None:
    path = f"/products/{await create(merchant, clock, 'Guide')}"
    assert (await merchant.client.get(path, params={"locale": "fr"})).json()["name"] == "Guide"
    assert (await merchant.client.get(path, params={"locale": "xx"})).json()["name"] == "Guide"


async def test_a_product_stays_with_its_business_and_mode(
    merchant: Merchant, other_merchant: Merchant, clock: FakeClock
) -> None:
    product_id = await create(merchant, clock, "Guide")
    path = f"/products/{product_id}"
    before = (await merchant.client.get(path)).json()
    for stranger in (other_merchant.client, merchant.live_client):
        for answer in (
            await stranger.get(path),
            await stranger.patch(path, json={"name": "Stolen"}),
            await stranger.delete(path),
            await stranger.post(f"{path}/unarchive"),
        ):
            assert (answer.status_code, answer.json()) == (
                404,
                {"code": "NOT_FOUND", "message": "Product not found"},
            )
        for archived in ("true", "false"):
            assert (await stranger.get("/products", params={"archived": archived})).json() == {"items": []}
    assert (await merchant.client.get(path)).json() == before
    assert await listed(merchant) == ["Guide"]


@pytest.mark.parametrize("product_id", ["pdt_unknown", "x" * 300, "%00", "%F0%9F%A6%A4", "short_link", "' OR 1=1"])
async def test_an_id_that_cannot_exist_is_not_found(merchant: Merchant, product_id: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        body = {"name": "x"} if method == "PATCH" else None
        response = await merchant.client.request(method, f"/products/{product_id}", json=body)
        assert (response.status_code, response.json()) == (404, {"code": "NOT_FOUND", "message": "Product not found"})


async def test_keys(merchant: Merchant, clock: FakeClock) -> None:
    path = f"/products/{await create(merchant, clock, 'Guide')}"
    reader = merchant.read_only_client
    assert (await reader.get(path)).status_code == 200
    assert (await reader.get("/products")).status_code == 200
    for response in (
        await reader.post("/products", json={}),
        await reader.patch(path, json={"name": "x"}),
        await reader.delete(path),
        await reader.post(f"{path}/unarchive"),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "UNAUTHORIZED")
    assert await listed(merchant) == ["Guide"]


async def test_many_products_in_one_query(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant, clock: FakeClock
) -> None:
    once = await create(merchant, clock, "once")
    monthly = await create(merchant, clock, "monthly", price=MONTHLY)
    foreign = await create(other_merchant, clock, "foreign")
    await merchant.client.delete(f"/products/{monthly}")
    async with runtime.database.read() as connection:
        found = await get_products(connection, merchant.tenant, [monthly, once, once, foreign, "pdt_unknown"])
        assert await get_products(connection, merchant.live_tenant, [once]) == []
    assert {product.product_id: (product.name, type(product.price)) for product in found} == {
        once: ("once", OneTimePrice),
        monthly: ("monthly", RecurringPrice),
    }
    assert {product.product_id: product.archived_at for product in found} == {once: None, monthly: clock.now()}
