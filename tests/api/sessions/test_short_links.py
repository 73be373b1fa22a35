"""Short links over the API: names that are unique on the server, and whose they are."""

from typing import Any

import dodopayments
import pytest
from dodopayments.types.products import ShortLinkCreateResponse, ShortLinkListResponse

from harness import Merchant
from orders import dump
from shop import Shop


async def test_create_and_list(shop: Shop, sdk: dodopayments.AsyncDodoPayments) -> None:
    guide, atlas = await shop.product(), await shop.product()
    raw = await sdk.products.short_links.with_raw_response.create(
        guide, slug="guide", static_checkout_params={"quantity": "2", "email": "a+b@example.com"}
    )
    told: Any = await raw.json()
    assert told.keys() == ShortLinkCreateResponse.model_fields.keys()
    assert told == {
        "full_url": f"http://pay.test/buy/{guide}?quantity=2&email=a%2Bb%40example.com",
        "short_url": "http://pay.test/buy/guide",
    }
    shop.clock.advance(seconds=1)
    await sdk.products.short_links.create(atlas, slug="the_Atlas-1")
    listed = await sdk.products.short_links.with_raw_response.list()
    rows: Any = await listed.json()
    assert rows["items"][0].keys() == ShortLinkListResponse.model_fields.keys()
    assert [(row["product_id"], row["short_url"]) for row in rows["items"]] == [
        (atlas, "http://pay.test/buy/the_Atlas-1"),
        (guide, "http://pay.test/buy/guide"),
    ]
    assert rows["items"][0]["full_url"] == f"http://pay.test/buy/{atlas}"
    mine = await sdk.products.short_links.list(product_id=guide, page_size=1, page_number=0)
    assert [link.product_id for link in mine.items] == [guide]
    assert (await sdk.products.short_links.list(page_number=1)).items == []


@pytest.mark.parametrize("slug", ["ab", "a" * 65, "with space", "pdt_mine", "a/b", "Ünder", ""])
async def test_names_that_cannot_be(shop: Shop, slug: str) -> None:
    product = await shop.product()
    before = await dump(shop.runtime)
    refused = await shop.client.post(f"/products/{product}/short_links", json={"slug": slug})
    assert (refused.status_code, refused.json()["code"]) == (422, "INVALID_REQUEST_BODY")
    assert await dump(shop.runtime) == before


async def test_a_name_is_given_once_on_the_server(shop: Shop, merchant: Merchant, other_merchant: Merchant) -> None:
    product = await shop.product()
    assert (await shop.client.post(f"/products/{product}/short_links", json={"slug": "guide"})).status_code == 200
    body = {"name": "G", "tax_category": "saas", "price": {"type": "one_time_price", "currency": "USD", "price": 900}}
    others = {
        client: (await client.post("/products", json=body)).json()["product_id"]
        for client in (merchant.client, merchant.live_client, other_merchant.client)
    }
    before = await dump(shop.runtime)
    for client, product_id in others.items():
        taken = await client.post(f"/products/{product_id}/short_links", json={"slug": "guide"})
        assert (taken.status_code, taken.json()["code"]) == (409, "SLUG_ALREADY_TAKEN")
    assert await dump(shop.runtime) == before


async def test_another_tenants_products_and_links(shop: Shop, merchant: Merchant, other_merchant: Merchant) -> None:
    product = await shop.product()
    await shop.client.post(f"/products/{product}/short_links", json={"slug": "guide"})
    before = await dump(shop.runtime)
    for client in (merchant.live_client, other_merchant.client):
        refused = await client.post(f"/products/{product}/short_links", json={"slug": "other"})
        assert (refused.status_code, refused.json()["code"]) == (404, "NOT_FOUND")
        assert (await client.get("/products/short_links", params={"product_id": product})).json() == {"items": []}
        assert (await client.get("/products/short_links")).json() == {"items": []}
    read_only = await merchant.read_only_client.post(f"/products/{product}/short_links", json={"slug": "other"})
    assert read_only.status_code == 403
    assert await dump(shop.runtime) == before


async def test_who_made_it_is_in_the_audit_log(shop: Shop) -> None:
    product = await shop.product()
    shop.clock.advance(seconds=1)
    await shop.client.post(f"/products/{product}/short_links", json={"slug": "guide"})
    async with shop.runtime.database.read() as read:
        row = await read.fetchrow("SELECT action, object_ids FROM audit_log ORDER BY entry_id DESC LIMIT 1")
        link_id = await read.fetchval("SELECT link_id FROM short_links")
    assert row is not None and tuple(row) == ("short_link.create", [product, link_id])
