"""Discounts: creating, reading, changing, deleting, listing, and whose they are."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from api.answers import answered, refused
from discount_orders import buy, order_of, succeed
from harness import FakeClock, Merchant
from nicobar.core.discounts.discount_record import CODE_ALPHABET
from nicobar.flows.runtime import Runtime
from nicobar.storage.discounts.discounts import get_discount

BODY: dict[str, Any] = {"type": "percentage", "amount": 1000}
FLAT: dict[str, Any] = {
    "type": "flat",
    "amount": 1,
    "currency_options": [{"currency": "USD", "max_amount_possible": 500}],
}


async def create(merchant: Merchant, **changes: Any) -> dict[str, Any]:
    return answered(await merchant.client.post("/discounts", json=BODY | changes))


async def change(merchant: Merchant, discount: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return answered(await merchant.client.patch(f"/discounts/{discount['discount_id']}", json=changes))


async def read(merchant: Merchant, discount: dict[str, Any]) -> dict[str, Any]:
    return answered(await merchant.client.get(f"/discounts/{discount['discount_id']}"))


async def listed(merchant: Merchant, **query: Any) -> list[str]:
    return [item["code"] for item in answered(await merchant.client.get("/discounts", params=query))["items"]]


async def product(merchant: Merchant) -> str:
    price = {"type": "one_time_price", "currency": "USD", "price": 1999}
    body = {"name": "Field Guide", "tax_category": "e_book", "price": price}
    response = await merchant.client.post("/products", json=body)
    product_id: str = response.json()["product_id"]
    return product_id


async def test_the_least_discount_has_every_key_and_a_random_code(merchant: Merchant) -> None:
    made = await create(merchant)
    assert made == {
        "discount_id": made["discount_id"],
        "business_id": merchant.business_id,
        "code": made["code"],
        "type": "percentage",
        "amount": 1000,
        "customer_eligibility": "any",
        "created_at": "2026-03-14T15:09:26.535897Z",
        "times_used": 0,
        "restricted_to": [],
        "preserve_on_plan_change": False,
        "metadata": {},
        "name": None,
        "expires_at": None,
        "starts_at": None,
        "usage_limit": None,
        "per_customer_usage_limit": None,
        "subscription_cycles": None,
        "currency_options": [],
    }
    assert made["discount_id"].startswith("dsc_") and len(made["discount_id"]) == 25
    assert len(made["code"]) == 16 and set(made["code"]) <= set(CODE_ALPHABET)
    another = await create(merchant, code="  ", name=" ", currency_options=None, restricted_to=None, metadata=None)
    assert len(another["code"]) == 16 and another["code"] != made["code"]
    assert another == made | {key: another[key] for key in ("discount_id", "code")}


async def test_every_field_is_kept(merchant: Merchant) -> None:
    first, second = await product(merchant), await product(merchant)
    fields: dict[str, Any] = {
        "type": "flat",
        "amount": 2147483647,
        "code": "  Summer.26 ",
        "currency_options": [
            {"currency": "USD", "max_amount_possible": 1, "is_default": True},
            {"currency": "EUR", "max_amount_possible": 450, "minimum_subtotal": 900, "is_default": None},
        ],
        "customer_eligibility": "first_time",
        "starts_at": "2026-06-01T02:00:00.000001+02:00",
        "expires_at": "9999-12-31T23:59:59Z",
        "metadata": {"campaign": "radio", "share": 0.5, "wave": 2, "vip": True},
        "name": " Summer sale ",
        "usage_limit": 2147483647,
        "per_customer_usage_limit": 3,
        "preserve_on_plan_change": True,
        "restricted_to": [second, first, f" {second} "],
        "subscription_cycles": 6,
    }
    made = await create(merchant, **fields)
    assert made == fields | {
        "discount_id": made["discount_id"],
        "business_id": merchant.business_id,
        "code": "SUMMER.26",
        "name": "Summer sale",
        "currency_options": [
            {"currency": "USD", "max_amount_possible": 1, "is_default": True, "minimum_subtotal": 0},
            {"currency": "EUR", "max_amount_possible": 450, "is_default": False, "minimum_subtotal": 900},
        ],
        "starts_at": "2026-06-01T00:00:00.000001Z",
        "restricted_to": [second, first],
        "created_at": "2026-03-14T15:09:26.535897Z",
        "times_used": 0,
    }
    assert await read(merchant, made) == made


@pytest.mark.parametrize("code", ["CUSTOMERS", "10%OFF", "A+B&C$!", "...", "SUMMER-SALE-2026-DE-20", "X" * 64])
async def test_a_discount_is_found_by_its_code_in_any_case(merchant: Merchant, code: str) -> None:
    made = await create(merchant, code=code)
    for spelling in (code, code.lower(), f" {code.capitalize()} "):
        response = await merchant.client.get(f"/discounts/code/{quote(spelling)}")
        assert (response.status_code, response.json()) == (200, made), spelling
    refused(await merchant.client.get("/discounts/code/NEVER"), 404, "NOT_FOUND", "Discount not found")
    longer = await merchant.client.get(f"/discounts/code/{quote(code.ljust(64, 'X') + 'X')}")
    refused(longer, 404, "NOT_FOUND", "Discount not found")


INVALID = "Your request body is invalid. "
CODE_RULE = f"code: {INVALID}A code has 3 to 64 characters: letters A-Z, digits and ! $ % & * + . @ _ -"
OPTION = "DISCOUNT_CURRENCY_OPTION_INVALID"
NO_DEFAULT = "currency_options: A flat discount requires at least one currency option with a resolvable default"
USD, EUR = {"currency": "USD", "max_amount_possible": 500}, {"currency": "EUR", "max_amount_possible": 450}

REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"type": "flat_per_unit"},
        "UNSUPPORTED_DISCOUNT_TYPE",
        "type: Only percentage and flat discount codes are supported",
    ),
    (
        {"type": "fixed"},
        "INVALID_REQUEST_BODY",
        f"type: {INVALID}Invalid enum value 'fixed'; it is one of: flat, flat_per_unit, percentage.",
    ),
    ({"amount": 0}, "INVALID_REQUEST_BODY", f"amount: {INVALID}Expected `int` >= 1."),
    ({"amount": 10001}, "INVALID_PERCENTAGE", "amount: Percentage amount cannot be more than 10000"),
    ({"amount": 2147483648}, "INVALID_REQUEST_BODY", f"amount: {INVALID}Expected `int` <= 2147483647."),
    ({"code": "AB"}, "INVALID_REQUEST_BODY", CODE_RULE),
    ({"code": "A" * 65}, "INVALID_REQUEST_BODY", f"code: {INVALID}Expected `str` of length <= 64."),
    ({"code": "TWO WORDS"}, "INVALID_REQUEST_BODY", CODE_RULE),
    ({"code": "A/B"}, "INVALID_REQUEST_BODY", CODE_RULE),
    ({"code": "ÉTÉ26"}, "INVALID_REQUEST_BODY", CODE_RULE),
    ({"usage_limit": 0}, "INVALID_REQUEST_BODY", f"usage_limit: {INVALID}Expected `int` >= 1."),
    ({"subscription_cycles": 0}, "INVALID_REQUEST_BODY", f"subscription_cycles: {INVALID}Expected `int` >= 1."),
    (
        {"usage_limit": 2, "per_customer_usage_limit": 3},
        "INVALID_REQUEST_PARAMETERS",
        "per_customer_usage_limit: A customer cannot use the code 3 times when usage_limit is 2.",
    ),
    (
        {"starts_at": "2026-05-01T12:00:00Z", "expires_at": "2026-05-01T14:00:00+02:00"},
        "INVALID_REQUEST_PARAMETERS",
        "starts_at: starts_at must be before expires_at.",
    ),
    (
        {"expires_at": "0001-01-01T00:00:00+05:00"},
        "INVALID_REQUEST_BODY",
        f"expires_at: {INVALID}It must lie in the years 1970 to 9999.",
    ),
    (
        {"starts_at": "9999-12-31T23:59:59.999999Z"},
        "INVALID_REQUEST_BODY",
        f"starts_at: {INVALID}It must lie in the years 1970 to 9999.",
    ),
    (FLAT | {"currency_options": []}, OPTION, NO_DEFAULT),
    (FLAT | {"currency_options": [USD, EUR]}, OPTION, NO_DEFAULT),
    (
        FLAT | {"currency_options": [USD | {"is_default": True}, {"currency": "EUR"}]},
        OPTION,
        "currency_options[1].max_amount_possible: A flat discount takes off this amount; it is required",
    ),
    (
        {"currency_options": [USD, EUR, USD]},
        OPTION,
        "currency_options[2].currency: Duplicate currency options are not allowed",
    ),
    (
        {"currency_options": [USD | {"is_default": True}, EUR | {"is_default": True}]},
        OPTION,
        "currency_options: Only one currency option may be marked as default",
    ),
    (
        {"currency_options": [USD | {"max_amount_possible": 0}]},
        "INVALID_REQUEST_BODY",
        f"currency_options[0].max_amount_possible: {INVALID}Expected `int` >= 1.",
    ),
    ({"restricted_to": ["pdt_x"]}, "INVALID_REQUEST_PARAMETERS", "restricted_to[0]: There is no product pdt_x."),
    ({"metadata": {f"k{n}": n for n in range(51)}}, "MAXIMUM_KEYS_REACHED", "metadata: Exceeds 50 key-value pairs"),
    ({"code": "TAKEN"}, "DISCOUNT_CODE_ALREADY_EXISTS", "code: Discount Code already exists"),
]


@pytest.mark.parametrize(("fields", "code", "message"), REFUSALS)
async def test_a_refused_discount_is_neither_made_nor_changed(
    merchant: Merchant, clock: FakeClock, fields: dict[str, Any], code: str, message: str
) -> None:
    taken = await create(merchant, code="TAKEN")
    clock.advance(seconds=1)
    mine = await create(merchant, code="MINE")
    refused(await merchant.client.post("/discounts", json=BODY | fields), 422, code, message)
    refused(await merchant.client.patch(f"/discounts/{mine['discount_id']}", json=fields), 422, code, message)
    response = await merchant.client.get("/discounts")
    assert response.json() == {"items": [mine, taken]}


@pytest.mark.parametrize("missing", ["type", "amount"])
async def test_type_and_amount_are_required(merchant: Merchant, missing: str) -> None:
    body = {key: value for key, value in BODY.items() if key != missing}
    response = await merchant.client.post("/discounts", json=body)
    refused(response, 422, "INVALID_REQUEST_BODY", f"{missing}: {INVALID}This field is required.")


async def test_one_code_is_one_discount_at_a_time(merchant: Merchant, other_merchant: Merchant) -> None:
    body = BODY | {"code": "rush"}
    answers = await asyncio.gather(*[merchant.client.post("/discounts", json=body) for _ in range(8)])
    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 7
    first = next(answer.json() for answer in answers if answer.status_code == 200)
    for client in (merchant.live_client, other_merchant.client):
        assert (await client.post("/discounts", json=body)).status_code == 200
    assert (await merchant.client.delete(f"/discounts/{first['discount_id']}")).status_code == 204
    second = await create(merchant, code="RUSH")
    found = await merchant.client.get("/discounts/code/rush")
    assert found.json() == second != first


async def test_what_is_left_out_stays_and_null_clears(merchant: Merchant) -> None:
    bought = await product(merchant)
    made = await create(
        merchant,
        **FLAT,
        code="FULL",
        name="Full",
        restricted_to=[bought],
        usage_limit=5,
        per_customer_usage_limit=2,
        starts_at="2026-01-01T00:00:00Z",
        expires_at="2027-01-01T00:00:00Z",
        customer_eligibility="existing",
        subscription_cycles=3,
        preserve_on_plan_change=True,
        metadata={"a": 1},
    )
    assert await change(merchant, made) == made
    kept = ("amount", "code", "type", "currency_options", "restricted_to", "customer_eligibility", "metadata")
    assert await change(merchant, made, preserve_on_plan_change=None, **dict.fromkeys(kept)) == made
    cleared = dict.fromkeys(
        ("name", "starts_at", "expires_at", "usage_limit", "per_customer_usage_limit", "subscription_cycles")
    )
    assert await change(merchant, made, **cleared) == made | cleared
    changed = await change(
        merchant, made, type="percentage", amount=1, code="new", currency_options=[], restricted_to=[], metadata={}
    )
    assert changed == made | cleared | {
        "type": "percentage",
        "amount": 1,
        "code": "NEW",
        "currency_options": [],
        "restricted_to": [],
        "metadata": {},
    }
    assert await read(merchant, made) == changed
    response = await merchant.client.get("/discounts/code/FULL")
    assert response.status_code == 404, "the old code is free"


async def test_a_flat_discount_cannot_lose_its_amounts(merchant: Merchant) -> None:
    made = await create(merchant, **FLAT)
    path = f"/discounts/{made['discount_id']}"
    refused(await merchant.client.patch(path, json={"currency_options": []}), 422, OPTION, NO_DEFAULT)
    assert await read(merchant, made) == made


async def test_a_limit_cannot_fall_below_the_uses(runtime: Runtime, merchant: Merchant) -> None:
    made = await create(merchant, usage_limit=3)
    async with runtime.database.read() as connection:
        record = await get_discount(connection, merchant.tenant, made["discount_id"])
    assert record is not None
    for name in ("ana", "ben"):
        await succeed(runtime, await buy(runtime, order_of(runtime, merchant.tenant, name), [record]))
    await buy(runtime, order_of(runtime, merchant.tenant, "eva"), [record])
    response = await merchant.client.patch(f"/discounts/{made['discount_id']}", json={"usage_limit": 1})
    message = "usage_limit: Usage limit cannot be less than times_used, which is 2"
    refused(response, 422, "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED", message)
    assert await read(merchant, made) == made | {"times_used": 2}
    assert await change(merchant, made, usage_limit=2) == made | {"times_used": 2, "usage_limit": 2}


async def test_a_deleted_discount_is_gone(merchant: Merchant) -> None:
    made = await create(merchant, code="ONCE")
    path = f"/discounts/{made['discount_id']}"
    response = await merchant.client.delete(path)
    assert (response.status_code, response.content) == (204, b"")
    for answer in (
        await merchant.client.get(path),
        await merchant.client.get("/discounts/code/ONCE"),
        await merchant.client.patch(path, json={"amount": 1}),
        await merchant.client.delete(path),
        await merchant.client.get(f"{path}/customers"),
    ):
        refused(answer, 404, "NOT_FOUND", "Discount not found")
    assert await listed(merchant) == []
