"""Brands: the primary one, creating, changing, archiving with or without products, and whose they are."""

import asyncio
from typing import Any

import httpx
import pytest

from api.answers import answered, refused
from harness import FakeClock, Merchant
from nicobar.core.catalog.brand import descriptor_from


async def create(merchant: Merchant, **body: Any) -> dict[str, Any]:
    return answered(await merchant.client.post("/brands", json=body))


async def read(merchant: Merchant, brand_id: str) -> dict[str, Any]:
    return answered(await merchant.client.get(f"/brands/{brand_id}"))


async def listed(merchant: Merchant, **query: Any) -> list[str]:
    return [item["brand_id"] for item in answered(await merchant.client.get("/brands", params=query))["items"]]


async def add_product(merchant: Merchant, brand_id: str) -> str:
    price = {"type": "one_time_price", "currency": "USD", "price": 100}
    body = {"name": "Guide", "tax_category": "saas", "brand_id": brand_id, "price": price}
    response = await merchant.client.post("/products", json=body)
    assert response.status_code == 200, response.text
    product_id: str = response.json()["product_id"]
    return product_id


async def brand_of(merchant: Merchant, product_id: str) -> str:
    brand_id: str = (await merchant.client.get(f"/products/{product_id}")).json()["brand_id"]
    return brand_id


def shape(brand_id: str, business_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "brand_id": brand_id,
        "business_id": business_id,
        "name": None,
        "description": None,
        "statement_descriptor": "ONLINE STORE",
        "support_email": None,
        "url": None,
        "image": None,
        "enabled": True,
        "verification_enabled": False,
        "verification_status": "Success",
        "reason_for_hold": None,
        "archived_at": None,
    } | changes


async def test_the_primary_brand_is_there_in_both_modes(merchant: Merchant) -> None:
    business_id = merchant.business_id
    expected = shape(business_id, business_id, name="Dodo Records", statement_descriptor="Dodo Records")
    assert await read(merchant, business_id) == expected
    assert (await merchant.live_client.get("/brands")).json() == {"items": [expected]}


async def test_every_field_is_stored_trimmed_and_returned(merchant: Merchant) -> None:
    made = await create(
        merchant,
        name=" Atlas ",
        description=" Maps ",
        statement_descriptor=" ATLAS MAPS & CO ",
        support_email=" help@atlas.example ",
        url=" https://atlas.example/shop ",
    )
    assert made == shape(
        made["brand_id"],
        merchant.business_id,
        name="Atlas",
        description="Maps",
        statement_descriptor="ATLAS MAPS & CO",
        support_email="help@atlas.example",
        url="https://atlas.example/shop",
    )
    assert made["brand_id"].startswith("brd_") and len(made["brand_id"]) == 25
    assert await read(merchant, made["brand_id"]) == made


@pytest.mark.parametrize("body", [{}, {"name": None, "url": None, "support_email": None}, {"name": " ", "url": ""}])
async def test_everything_is_optional(merchant: Merchant, body: dict[str, Any]) -> None:
    made = await create(merchant, **body)
    assert made == shape(made["brand_id"], merchant.business_id)


@pytest.mark.parametrize(
    ("name", "descriptor"),
    [
        ("Atlas", "Atlas"),
        ("Café Zoë*", "Caf Zo"),
        ("A very long name of a shop", "A very long name of a"),
        ("Магазин", "ONLINE STORE"),
        ("24/7", "ONLINE STORE"),
        (None, "ONLINE STORE"),
    ],
)
def test_a_statement_shows_what_it_can_of_the_name(name: str | None, descriptor: str) -> None:
    assert descriptor_from(name) == descriptor


DESCRIPTOR_RULE = (
    "statement_descriptor: Your request body is invalid. Card statements show at most 22 characters: "
    "Latin letters (at least one), digits, blanks and . , & / + -"
)
URL_RULE = "url: Your request body is invalid. It is not a full web address, such as https://example.com/."
EMAIL_RULE = "support_email: Your request body is invalid. An email address must have an @-sign."


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"statement_descriptor": "x" * 23}, DESCRIPTOR_RULE),
        ({"statement_descriptor": "12345"}, DESCRIPTOR_RULE),
        ({"statement_descriptor": "A*B"}, DESCRIPTOR_RULE),
        ({"statement_descriptor": "Кафе"}, DESCRIPTOR_RULE),
        ({"url": "ftp://atlas.example"}, URL_RULE),
        ({"url": "atlas.example"}, URL_RULE),
        ({"support_email": "help"}, EMAIL_RULE),
    ],
)
async def test_a_malformed_field_is_refused(merchant: Merchant, body: dict[str, Any], message: str) -> None:
    brand = await create(merchant, name="Atlas")
    for response in (
        await merchant.client.post("/brands", json=body),
        await merchant.client.patch(f"/brands/{brand['brand_id']}", json={"name": "Other"} | body),
    ):
        refused(response, 422, "INVALID_REQUEST_BODY", message)
    assert await listed(merchant) == [merchant.business_id, brand["brand_id"]]
    assert await read(merchant, brand["brand_id"]) == brand


@pytest.mark.parametrize("body", [{"name": "x" * 101}, {"description": "x" * 1001}, {"url": 5}, {"support_email": {}}])
async def test_a_wrong_type_or_length_is_refused(merchant: Merchant, body: dict[str, Any]) -> None:
    response = await merchant.client.post("/brands", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_REQUEST_BODY")
    assert await listed(merchant) == [merchant.business_id]


async def test_patch_changes_what_is_given_and_null_clears(merchant: Merchant) -> None:
    made = await create(
        merchant,
        name="Atlas",
        description="Maps",
        support_email="a@b.co",
        url="https://a.example",
        statement_descriptor="AT",
    )
    path = f"/brands/{made['brand_id']}"
    changed = await merchant.client.patch(path, json={"name": "Atlas II", "statement_descriptor": "ATLAS"})
    assert (changed.status_code, changed.json()) == (200, made | {"name": "Atlas II", "statement_descriptor": "ATLAS"})
    nulls = {"name": None, "description": None, "support_email": None, "url": None}
    cleared = changed.json() | nulls
    assert (
        await merchant.client.patch(path, json=nulls | {"statement_descriptor": None, "image_id": None})
    ).json() == cleared
    assert await read(merchant, made["brand_id"]) == cleared


async def test_what_cannot_be_changed(merchant: Merchant) -> None:
    primary = await read(merchant, merchant.business_id)
    refused(
        await merchant.client.patch(f"/brands/{merchant.business_id}", json={"name": "Other"}),
        403,
        "UNABLE_TO_EDIT_PRIMARY_BRAND",
        "Primary brand cannot be updated via this API endpoint.",
    )
    assert await read(merchant, merchant.business_id) == primary
    brand = await create(merchant, name="Atlas")
    refused(
        await merchant.client.patch(f"/brands/{brand['brand_id']}", json={"image_id": "img", "name": "Other"}),
        404,
        "NOT_FOUND",
        "image_id: Image not found",
    )
    assert await read(merchant, brand["brand_id"]) == brand
    await merchant.client.post(f"/brands/{brand['brand_id']}/archive", json={})
    refused(
        await merchant.client.patch(f"/brands/{brand['brand_id']}", json={"name": "Other"}),
        422,
        "BRAND_NOT_ENABLED",
        "The brand is archived, which is permanent",
    )
    assert (await read(merchant, brand["brand_id"]))["name"] == "Atlas"


async def test_the_list_has_the_primary_first_and_no_pages(merchant: Merchant, clock: FakeClock) -> None:
    made = []
    for number in range(12):
        clock.advance(minutes=1)
        made.append((await create(merchant, name=f"B{number}"))["brand_id"])
    await merchant.client.post(f"/brands/{made[3]}/archive", json={})
    newest_first = [merchant.business_id, *reversed(made)]
    assert await listed(merchant) == [brand_id for brand_id in newest_first if brand_id != made[3]]
    assert await listed(merchant, include_archived="false", page_size=2) == await listed(merchant)
    assert await listed(merchant, include_archived="true") == newest_first


async def test_archiving_an_empty_brand(merchant: Merchant, clock: FakeClock) -> None:
    brand = await create(merchant, name="Atlas")
    clock.advance(hours=1)
    path = f"/brands/{brand['brand_id']}/archive"
    response = await merchant.client.post(path, json={})
    assert (response.status_code, response.json()) == (
        200,
        {
            "brand_id": brand["brand_id"],
            "archived_at": "2026-03-14T16:09:26.535897Z",
            "products_moved": 0,
            "collections_moved": 0,
            "subscriptions_moved": 0,
            "moved_to_brand_id": None,
        },
    )
    assert await read(merchant, brand["brand_id"]) == brand | {"archived_at": "2026-03-14T16:09:26.535897Z"}
    clock.advance(hours=1)
    refused(await merchant.client.post(path, json={}), 409, "BRAND_NOT_ENABLED", "The brand is archived already")
    assert (await read(merchant, brand["brand_id"]))["archived_at"] == "2026-03-14T16:09:26.535897Z"


async def test_archiving_moves_all_products(merchant: Merchant) -> None:
    old = (await create(merchant, name="Old"))["brand_id"]
    new = (await create(merchant, name="New"))["brand_id"]
    products = [await add_product(merchant, brand) for brand in (old, old, new, merchant.business_id)]
    await merchant.client.delete(f"/products/{products[1]}")
    path = f"/brands/{old}/archive"
    refused(
        await merchant.client.post(path, json={"move_products_to": None}),
        422,
        "UNSUPPORTED_ACTION",
        "move_products_to: The brand has products; name the brand that takes them over.",
    )
    assert (await read(merchant, old))["archived_at"] is None
    response = await merchant.client.post(path, json={"move_products_to": new})
    assert (response.json()["products_moved"], response.json()["moved_to_brand_id"]) == (2, new)
    assert [await brand_of(merchant, product) for product in products] == [new, new, new, merchant.business_id]


async def test_refused_archivings_change_nothing(merchant: Merchant, other_merchant: Merchant) -> None:
    brand = (await create(merchant, name="Atlas"))["brand_id"]
    gone = (await create(merchant, name="Gone"))["brand_id"]
    foreign = (await create(other_merchant, name="Foreign"))["brand_id"]
    await merchant.client.post(f"/brands/{gone}/archive", json={})
    product = await add_product(merchant, brand)

    async def archive(brand_id: str, target: str | None) -> httpx.Response:
        return await merchant.client.post(f"/brands/{brand_id}/archive", json={"move_products_to": target})

    sentence = "Primary brand cannot be updated via this API endpoint."
    refused(await archive(merchant.business_id, brand), 403, "UNABLE_TO_EDIT_PRIMARY_BRAND", sentence)
    sentence = "move_products_to: A brand cannot take over its own products."
    refused(await archive(brand, brand), 422, "INVALID_REQUEST_PARAMETERS", sentence)
    sentence = "move_products_to: Brand provided is not enabled"
    refused(await archive(brand, gone), 422, "BRAND_NOT_ENABLED", sentence)
    for unknown in (foreign, "brd_unknown"):
        refused(await archive(brand, unknown), 404, "NOT_FOUND", "move_products_to: Brand not found")
        refused(await archive(unknown, brand), 404, "NOT_FOUND", "Brand not found")
    assert await listed(merchant) == [merchant.business_id, brand]
    assert await brand_of(merchant, product) == brand


async def test_products_avoid_archived_brands(merchant: Merchant) -> None:
    gone = (await create(merchant, name="Gone"))["brand_id"]
    product = await add_product(merchant, merchant.business_id)
    await merchant.client.post(f"/brands/{gone}/archive", json={})
    price = {"type": "one_time_price", "currency": "USD", "price": 100}
    body = {"name": "Guide", "tax_category": "saas", "brand_id": gone, "price": price}
    for response in (
        await merchant.client.post("/products", json=body),
        await merchant.client.patch(f"/products/{product}", json={"brand_id": gone}),
    ):
        refused(response, 422, "BRAND_NOT_ENABLED", "brand_id: Brand provided is not enabled")
    assert await brand_of(merchant, product) == merchant.business_id
    assert len((await merchant.client.get("/products")).json()["items"]) == 1


async def test_no_product_slips_into_a_brand_while_it_is_archived(merchant: Merchant) -> None:
    """Twenty races between putting a product under a brand and archiving that brand: never a product left behind."""
    for _ in range(20):
        brand = (await create(merchant, name="Atlas"))["brand_id"]
        price = {"type": "one_time_price", "currency": "USD", "price": 100}
        body = {"name": "Guide", "tax_category": "saas", "brand_id": brand, "price": price}
        made, archived = await asyncio.gather(
            merchant.client.post("/products", json=body),
            merchant.client.post(f"/brands/{brand}/archive", json={"move_products_to": merchant.business_id}),
        )
        assert archived.status_code == 200
        left = (await merchant.client.get("/products", params={"brand_id": brand})).json()
        assert left == {"items": []}
        assert (made.status_code, archived.json()["products_moved"]) in ((200, 1), (422, 0))


async def test_brands_that_take_each_other_over(merchant: Merchant) -> None:
    for _ in range(10):
        one = (await create(merchant, name="One"))["brand_id"]
        two = (await create(merchant, name="Two"))["brand_id"]
        answers = await asyncio.gather(
            merchant.client.post(f"/brands/{one}/archive", json={"move_products_to": two}),
            merchant.client.post(f"/brands/{two}/archive", json={"move_products_to": one}),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 422]


async def test_the_number_of_brands_is_bounded(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nicobar.flows.catalog.create_brand.MAXIMUM_BRANDS", 4)
    answers = await asyncio.gather(*[merchant.client.post("/brands", json={"name": "Atlas"}) for _ in range(8)])
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [422] * 5
    assert len(await listed(merchant)) == 4
    refused(
        await merchant.client.post("/brands", json={}),
        422,
        "UNSUPPORTED_ACTION",
        "A business can have at most 4 brands.",
    )


async def test_a_brand_stays_with_its_business_and_mode(merchant: Merchant, other_merchant: Merchant) -> None:
    made = await create(merchant, name="Atlas")
    path = f"/brands/{made['brand_id']}"
    for stranger in (other_merchant.client, merchant.live_client):
        for answer in (
            await stranger.get(path),
            await stranger.patch(path, json={"name": "Stolen"}),
            await stranger.post(f"{path}/archive", json={}),
        ):
            refused(answer, 404, "NOT_FOUND", "Brand not found")
        assert made["brand_id"] not in (await stranger.get("/brands", params={"include_archived": "true"})).text
    assert await read(merchant, made["brand_id"]) == made


@pytest.mark.parametrize("brand_id", ["brd_unknown", "x" * 300, "%00", "%F0%9F%A6%A4"])
async def test_an_id_that_cannot_exist_is_not_found(merchant: Merchant, brand_id: str) -> None:
    refused(await merchant.client.get(f"/brands/{brand_id}"), 404, "NOT_FOUND", "Brand not found")
    refused(await merchant.client.patch(f"/brands/{brand_id}", json={}), 404, "NOT_FOUND", "Brand not found")


async def test_keys(merchant: Merchant) -> None:
    made = await create(merchant, name="Atlas")
    path = f"/brands/{made['brand_id']}"
    reader = merchant.read_only_client
    assert (await reader.get(path)).json() == made
    assert len((await reader.get("/brands")).json()["items"]) == 2
    for response in (
        await reader.post("/brands", json={}),
        await reader.patch(path, json={"name": "x"}),
        await reader.post(f"{path}/archive", json={}),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "UNAUTHORIZED")
    assert await read(merchant, made["brand_id"]) == made
