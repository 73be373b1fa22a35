"""Products: creating, reading, changing, archiving, listing, and whose they are."""

from typing import Any

import pytest

from api.answers import answered, refused
from harness import FakeClock, Merchant

PRICE: dict[str, Any] = {"type": "one_time_price", "currency": "USD", "price": 1999}
BODY: dict[str, Any] = {"name": "Field Guide", "tax_category": "e_book", "price": PRICE}

STORED_PRICE = {
    "type": "one_time_price",
    "currency": "USD",
    "price": 1999,
    "discount": 0,
    "discount_bps": 0,
    "pay_what_you_want": False,
    "purchasing_power_parity": False,
    "suggested_price": None,
    "tax_inclusive": None,
}


async def create(merchant: Merchant, **changes: Any) -> dict[str, Any]:
    return answered(await merchant.client.post("/products", json=BODY | changes))


async def read(merchant: Merchant, product_id: str) -> dict[str, Any]:
    return answered(await merchant.client.get(f"/products/{product_id}"))


async def listed(merchant: Merchant, **query: Any) -> list[str]:
    return [item["name"] for item in answered(await merchant.client.get("/products", params=query))["items"]]


async def test_the_least_product_has_every_key(merchant: Merchant) -> None:
    made = await create(merchant)
    assert made == {
        "product_id": made["product_id"],
        "business_id": merchant.business_id,
        "brand_id": merchant.business_id,
        "name": "Field Guide",
        "description": None,
        "image": None,
        "tax_category": "e_book",
        "price": STORED_PRICE,
        "is_recurring": False,
        "pricing_mode": None,
        "metadata": {},
        "created_at": "2026-03-14T15:09:26.535897Z",
        "updated_at": "2026-03-14T15:09:26.535897Z",
        "addons": None,
        "entitlements": [],
        "credit_entitlements": [],
        "digital_product_delivery": None,
        "license_key_enabled": False,
        "license_key_activation_message": None,
        "license_key_activations_limit": None,
        "license_key_duration": None,
        "product_collection_id": None,
    }
    assert made["product_id"].startswith("pdt_") and len(made["product_id"]) == 25
    assert await read(merchant, made["product_id"]) == made


async def test_every_field_is_stored_and_returned(merchant: Merchant) -> None:
    brand = (await merchant.client.post("/brands", json={"name": "Atlas"})).json()["brand_id"]
    made = await create(
        merchant,
        name="  Field Guide  ",
        description="All the pigeons",
        brand_id=brand,
        metadata={"shelf": "B4", "copies": 3, "weight": 1.5, "signed": True},
        pricing_mode="by_country",
        addons=["adn_1", "adn_2"],
        entitlements=[{"entitlement_id": "ent_1"}],
        credit_entitlements=[{"credit_entitlement_id": "cde_1", "credits_amount": "12.5", "overage_enabled": True}],
        digital_product_delivery={"external_url": "https://example.com/get", "instructions": " "},
        license_key_enabled=True,
        license_key_activation_message="Thank you",
        license_key_activations_limit=0,
        license_key_duration={"count": 2, "interval": "Year"},
    )
    product_id = made["product_id"]
    assert await read(merchant, product_id) == made
    assert made["name"] == "Field Guide"
    assert made["description"] == "All the pigeons"
    assert made["brand_id"] == brand
    assert made["metadata"] == {"shelf": "B4", "copies": 3, "weight": 1.5, "signed": True}
    assert made["metadata"]["signed"] is True
    assert made["pricing_mode"] == "by_country"
    assert made["addons"] == ["adn_1", "adn_2"]
    assert made["entitlements"] == [
        {
            "id": "ent_1",
            "name": "ent_1",
            "description": None,
            "integration_type": "feature_flag",
            "integration_config": {"feature_id": "ent_1", "feature_type": "boolean"},
        }
    ]
    assert made["credit_entitlements"] == [
        {
            "id": f"{product_id}:cde_1",
            "credit_entitlement_id": "cde_1",
            "credit_entitlement_name": "cde_1",
            "credit_entitlement_unit": "credits",
            "credits_amount": "12.5",
            "overage_behavior": "forgive_at_reset",
            "overage_enabled": True,
            "proration_behavior": "no_prorate",
            "rollover_enabled": False,
            "trial_credits_expire_after_trial": False,
            "currency": None,
            "expires_after_days": None,
            "low_balance_threshold_percent": None,
            "max_rollover_count": None,
            "overage_limit": None,
            "price_per_unit": None,
            "rollover_percentage": None,
            "rollover_timeframe_count": None,
            "rollover_timeframe_interval": None,
            "trial_credits": None,
        }
    ]
    assert made["digital_product_delivery"] == {
        "external_url": "https://example.com/get",
        "files": [],
        "instructions": None,
    }
    assert made["license_key_enabled"] is True
    assert made["license_key_activation_message"] == "Thank you"
    assert made["license_key_activations_limit"] == 0
    assert made["license_key_duration"] == {"count": 2, "interval": "Year"}


@pytest.mark.parametrize("name", ["description", "brand_id", "metadata", "pricing_mode", "addons", "entitlements"])
async def test_null_means_not_sent(merchant: Merchant, name: str) -> None:
    bare = await create(merchant)
    made = await create(merchant, **{name: None})
    assert made | {"product_id": bare["product_id"]} == bare


async def test_blank_texts_mean_not_sent(merchant: Merchant) -> None:
    made = await create(merchant, description="  ", brand_id="", license_key_activation_message="\n")
    assert made["description"] is None
    assert made["brand_id"] == merchant.business_id
    assert made["license_key_activation_message"] is None


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": None}, "name"),
        ({"name": "a\u0000b"}, "name"),
        ({"price": 5}, "price"),
        ({"description": "x" * 1001}, "description"),
        ({"tax_category": "tobacco"}, "tax_category"),
        ({"pricing_mode": "by_weather"}, "pricing_mode"),
        ({"metadata": {"a b": "c"}}, "metadata"),
        ({"metadata": {"a": "x" * 501}}, "metadata"),
        ({"metadata": {"a": None}}, "metadata"),
        ({"metadata": {"a": {"b": 1}}}, "metadata"),
        ({"addons": ["a"] * 11}, "addons"),
        ({"entitlements": [{"entitlement_id": "e"}] * 51}, "entitlements"),
        ({"credit_entitlements": [{"credit_entitlement_id": "e", "credits_amount": "1"}] * 6}, "credit_entitlements"),
        (
            {"credit_entitlements": [{"credit_entitlement_id": "e", "credits_amount": "one"}]},
            "credit_entitlements[0].credits_amount",
        ),
        ({"license_key_activation_message": "x" * 2501}, "license_key_activation_message"),
        ({"license_key_activations_limit": -1}, "license_key_activations_limit"),
        ({"license_key_duration": {"count": 0, "interval": "Day"}}, "license_key_duration.count"),
        ({"license_key_duration": {"count": 1, "interval": "day"}}, "license_key_duration.interval"),
    ],
)
async def test_a_malformed_field_is_refused(merchant: Merchant, change: dict[str, Any], path: str) -> None:
    response = await merchant.client.post("/products", json=BODY | change)
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_REQUEST_BODY")
    assert path in response.json()["message"]
    assert await listed(merchant) == []


@pytest.mark.parametrize("name", ["name", "price", "tax_category"])
async def test_a_missing_field_is_named(merchant: Merchant, name: str) -> None:
    response = await merchant.client.post("/products", json={key: BODY[key] for key in BODY if key != name})
    assert (response.status_code, response.json()["code"]) == (422, "INVALID_REQUEST_BODY")
    assert name in response.json()["message"]


async def test_a_blank_name_and_a_wrong_address_are_refused(merchant: Merchant) -> None:
    refused(
        await merchant.client.post("/products", json=BODY | {"name": " \t "}),
        422,
        "INVALID_REQUEST_BODY",
        "name: Your request body is invalid. It is blank.",
    )
    full = "It is not a full web address, such as https://example.com/."
    faults = {
        "javascript:alert(1)": full,
        "example.com": full,
        "https://": full,
        "https://exa mple.com/": "It is not a web address: Character 12 is U+0020, a blank or a character that is not "
        "seen; take it out, or encode it as %20 and the like.",
        "https://a.b:99999/": "It is not a web address: Port out of range 0-65535.",
    }
    for address, fault in faults.items():
        refused(
            await merchant.client.post(
                "/products", json=BODY | {"digital_product_delivery": {"external_url": address}}
            ),
            422,
            "INVALID_REQUEST_BODY",
            f"digital_product_delivery.external_url: Your request body is invalid. {fault}",
        )
    assert await listed(merchant) == []


async def test_refusals_that_need_a_look(merchant: Merchant) -> None:
    post = merchant.client.post
    many = {f"key{number}": number for number in range(51)}
    refused(
        await post("/products", json=BODY | {"metadata": many}),
        422,
        "MAXIMUM_KEYS_REACHED",
        "metadata: Exceeds 50 key-value pairs",
    )
    refused(
        await post("/products", json=BODY | {"brand_id": "brd_unknown"}), 404, "NOT_FOUND", "brand_id: Brand not found"
    )
    refused(
        await post("/products", json=BODY | {"digital_product_delivery": {"files": ["f1"]}}),
        404,
        "NOT_FOUND",
        "digital_product_delivery.files[0]: File not found",
    )
    twice = [{"credit_entitlement_id": "cde_1", "credits_amount": "1"}] * 2
    refused(
        await post("/products", json=BODY | {"credit_entitlements": twice}),
        422,
        "INVALID_REQUEST_PARAMETERS",
        "credit_entitlements[1].credit_entitlement_id: It is in the list twice.",
    )
    assert await listed(merchant) == []


async def test_patch_keeps_what_is_left_out(merchant: Merchant, clock: FakeClock) -> None:
    made = await create(merchant, description="Old", metadata={"a": 1}, license_key_enabled=True, addons=["adn_1"])
    clock.advance(hours=1)
    response = await merchant.client.patch(f"/products/{made['product_id']}", json={"name": " New "})
    assert response.status_code == 200
    assert await read(merchant, made["product_id"]) == made | {
        "name": "New",
        "updated_at": "2026-03-14T16:09:26.535897Z",
    }


async def test_patch_with_nothing_new_changes_nothing(merchant: Merchant, clock: FakeClock) -> None:
    made = await create(merchant)
    clock.advance(hours=1)
    for body in ({}, {"name": "Field Guide", "price": PRICE}):
        assert (await merchant.client.patch(f"/products/{made['product_id']}", json=body)).status_code == 200
        assert await read(merchant, made["product_id"]) == made


CLEARABLE = {
    "description": "Old",
    "pricing_mode": "by_currency",
    "addons": ["adn_1"],
    "digital_product_delivery": {"external_url": None, "files": [], "instructions": "Click"},
    "license_key_activation_message": "Thanks",
    "license_key_activations_limit": 3,
    "license_key_duration": {"count": 1, "interval": "Month"},
}


async def test_null_clears_what_may_be_null(merchant: Merchant) -> None:
    made = await create(merchant, **CLEARABLE)
    assert {name: made[name] for name in CLEARABLE} == CLEARABLE
    nulls = dict.fromkeys(CLEARABLE)
    assert (await merchant.client.patch(f"/products/{made['product_id']}", json=nulls)).status_code == 200
    assert await read(merchant, made["product_id"]) == made | nulls


async def test_null_keeps_what_may_not_be_null(merchant: Merchant) -> None:
    made = await create(
        merchant,
        metadata={"a": 1},
        entitlements=[{"entitlement_id": "ent_1"}],
        credit_entitlements=[{"credit_entitlement_id": "cde_1", "credits_amount": "1"}],
        license_key_enabled=True,
    )
    names = ["name", "price", "tax_category", "brand_id", "metadata", "entitlements", "credit_entitlements"]
    nulls = dict.fromkeys([*names, "license_key_enabled", "image_id"])
    assert (await merchant.client.patch(f"/products/{made['product_id']}", json=nulls)).status_code == 200
    assert await read(merchant, made["product_id"]) == made


async def test_patch_replaces_lists_price_and_metadata_whole(merchant: Merchant) -> None:
    made = await create(
        merchant,
        price=PRICE | {"discount_bps": 500, "tax_inclusive": True},
        metadata={"a": 1, "b": 2},
        entitlements=[{"entitlement_id": "ent_1"}],
        credit_entitlements=[{"credit_entitlement_id": "cde_1", "credits_amount": "1"}],
    )
    body = {
        "price": PRICE | {"price": 2500, "currency": "EUR"},
        "metadata": {"c": 3},
        "entitlements": [],
        "credit_entitlements": [],
        "tax_category": "saas",
    }
    assert (await merchant.client.patch(f"/products/{made['product_id']}", json=body)).status_code == 200
    after = await read(merchant, made["product_id"])
    assert after["price"] == STORED_PRICE | {"price": 2500, "currency": "EUR"}
    assert after["metadata"] == {"c": 3}
    assert after["entitlements"] == []
    assert after["credit_entitlements"] == []
    assert after["tax_category"] == "saas"


async def test_patch_moves_a_product_to_another_brand(merchant: Merchant) -> None:
    made = await create(merchant)
    brand = (await merchant.client.post("/brands", json={"name": "Atlas"})).json()["brand_id"]
    assert (await merchant.client.patch(f"/products/{made['product_id']}", json={"brand_id": brand})).status_code == 200
    assert (await read(merchant, made["product_id"]))["brand_id"] == brand


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({"name": "  "}, 422, "INVALID_REQUEST_BODY", "name: Your request body is invalid. It is blank."),
        ({"brand_id": "brd_unknown"}, 404, "NOT_FOUND", "brand_id: Brand not found"),
        ({"image_id": "img_1"}, 404, "NOT_FOUND", "image_id: Image not found"),
        (
            {
                "price": {
                    "type": "recurring_price",
                    "currency": "USD",
                    "price": 1,
                    "payment_frequency_count": 1,
                    "payment_frequency_interval": "Month",
                    "subscription_period_count": 1,
                    "subscription_period_interval": "Year",
                }
            },
            422,
            "UNSUPPORTED_ACTION",
            "price.type: A product stays one-time or recurring; create another product.",
        ),
    ],
)
async def test_a_refused_patch_changes_nothing(
    merchant: Merchant, clock: FakeClock, body: dict[str, Any], status: int, code: str, message: str
) -> None:
    made = await create(merchant)
    clock.advance(hours=1)
    response = await merchant.client.patch(f"/products/{made['product_id']}", json=body | {"description": "New"})
    refused(response, status, code, message)
    assert await read(merchant, made["product_id"]) == made


async def test_archive_and_unarchive(merchant: Merchant, clock: FakeClock) -> None:
    product_id = (await create(merchant))["product_id"]
    path = f"/products/{product_id}"
    clock.advance(hours=1)
    assert (await merchant.client.delete(path)).status_code == 200
    assert await listed(merchant) == []
    assert await listed(merchant, archived=True) == ["Field Guide"]
    assert (await read(merchant, product_id))["updated_at"] == "2026-03-14T16:09:26.535897Z"
    refused(await merchant.client.delete(path), 410, "PRODUCT_IS_DELETED", f"Product {product_id} is archived")
    for _ in range(2):
        assert (await merchant.client.post(f"{path}/unarchive")).status_code == 200
        assert await listed(merchant) == ["Field Guide"]
        assert await listed(merchant, archived=True) == []
