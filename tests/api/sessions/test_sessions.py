"""POST /checkouts and GET /checkouts/{id}: what is stored, what is refused, whose it is."""

import re
from typing import Any

import pytest

from api.sessions.opening import ADDRESS, ANA, create_session, session_rows
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from orders import dump, pay
from pages.session.filling import errors_of, send
from saved_cards import CONSENT
from shop import Shop, item

CONFIRMED = {"confirm": True, "customer": ANA, "billing_address": ADDRESS}


async def test_a_session_that_asks_for_everything(shop: Shop, runtime: Runtime) -> None:
    created = await create_session(shop, item(await shop.product()))
    session_id = created["session_id"]
    assert re.fullmatch(r"cks_[A-Za-z0-9]{21}", session_id)
    assert created == {
        "session_id": session_id,
        "checkout_url": f"http://pay.test/session/{session_id}",
        "payment_id": None,
        "client_secret": None,
        "publishable_key": None,
    }
    read = await shop.read(f"/checkouts/{session_id}")
    assert read == {
        "id": session_id,
        "created_at": read["created_at"],
        "customer_email": None,
        "customer_name": None,
        "payment_id": None,
        "payment_status": None,
    }
    async with runtime.database.read() as connection:
        assert await connection.fetchval("SELECT count(*) FROM payments") == 0
        assert await connection.fetchval("SELECT count(*) FROM customers") == 0


async def test_ids_are_random_throughout(shop: Shop) -> None:
    """Sessions of one moment share no beginning: the id is the key of the page."""
    product = await shop.product()
    ids = [(await create_session(shop, item(product)))["session_id"][4:8] for _ in range(20)]
    assert len(set(ids)) == 20


async def test_whom_a_session_is_for(shop: Shop) -> None:
    product = await shop.product()
    named = await create_session(shop, item(product), customer=ANA)
    customer_id = await shop.customer("kim@example.com")
    known = await create_session(shop, item(product), customer={"customer_id": customer_id, "email": "x@example.com"})
    told = [await shop.read(f"/checkouts/{made['session_id']}") for made in (named, known)]
    assert [(one["customer_email"], one["customer_name"]) for one in told] == [
        ("ana@example.com", "Ana Lima"),
        ("kim@example.com", "Ana"),
    ]


@pytest.mark.parametrize("blank", ["", " ", "\u200b\n"])
async def test_blanks_name_nobody(shop: Shop, blank: str) -> None:
    customer = {"customer_id": "", "email": blank.replace("\u200b", ""), "name": blank, "phone_number": " "}
    made = await create_session(shop, item(await shop.product()), customer=customer)
    told = await shop.read(f"/checkouts/{made['session_id']}")
    assert (told["customer_email"], told["customer_name"]) == (None, None)
    padded = {"email": " ana@example.com ", "name": " Ana \u200b Lima "}
    made = await create_session(shop, item(await shop.product()), customer=padded)
    told = await shop.read(f"/checkouts/{made['session_id']}")
    assert (told["customer_email"], told["customer_name"]) == ("ana@example.com", "Ana Lima")


async def test_a_confirmed_session_has_its_payment(shop: Shop) -> None:
    created = await create_session(shop, item(await shop.product(2000)), metadata={"order": 7}, **CONFIRMED)
    payment = await shop.read(f"/payments/{created['payment_id']}")
    assert created["client_secret"].startswith(f"{created['payment_id']}_secret_")
    assert created["publishable_key"] == f"pk_test_{shop.merchant.business_id.removeprefix('bus_')}"
    assert created["checkout_url"] == f"http://pay.test/session/{created['session_id']}"
    assert payment["checkout_session_id"] == created["session_id"]
    assert (payment["metadata"], payment["status"]) == ({"order": 7}, "requires_payment_method")
    assert payment["billing"] == ADDRESS
    listed = await shop.read("/payments")
    assert [one["checkout_session_id"] for one in listed["items"]] == [created["session_id"]]
    read = await shop.read(f"/checkouts/{created['session_id']}")
    assert (read["payment_id"], read["payment_status"], read["customer_name"]) == (
        created["payment_id"],
        "requires_payment_method",
        "Ana Lima",
    )


async def test_a_confirmed_session_of_nothing_is_paid_at_once(shop: Shop) -> None:
    await shop.percentage("FREE", 10_000)
    created = await create_session(shop, item(await shop.product()), discount_codes=["FREE"], **CONFIRMED)
    assert (await shop.read(f"/payments/{created['payment_id']}"))["status"] == "succeeded"
    events = (await shop.client.get("/events")).json()["data"]
    assert [event["type"] for event in events] == ["payment.succeeded"]
    event = (await shop.client.get(f"/events/{events[0]['event_id']}")).json()
    assert event["payload"]["data"]["checkout_session_id"] == created["session_id"]


async def test_a_saved_method_is_charged_in_the_session(shop: Shop, runtime: Runtime) -> None:
    bought = await shop.create(
        {
            "billing": ADDRESS,
            "customer": ANA,
            "product_cart": [item(await shop.product())],
            "payment_link": True,
            "show_saved_payment_methods": True,
        }
    )
    await pay(shop.browser, bought["payment_link"], **CONSENT)
    customer_id = bought["customer"]["customer_id"]
    methods = (await shop.read(f"/customers/{customer_id}/payment-methods"))["items"]
    method_id = methods[0]["payment_method_id"]
    request = CONFIRMED | {"customer": {"customer_id": customer_id}, "payment_method_id": method_id}
    created = await create_session(shop, item(await shop.product(700)), **request)
    payment = await shop.read(f"/payments/{created['payment_id']}")
    assert (created["checkout_url"], payment["status"]) == (None, "succeeded")
    assert payment["checkout_session_id"] == created["session_id"]
    status = await shop.read(f"/checkouts/{created['session_id']}")
    assert (status["payment_status"], status["customer_email"]) == ("succeeded", "ana@example.com")
    page = await shop.browser.get(f"/session/{created['session_id']}")
    assert (page.status_code, "This order is paid. You do not need to pay again." in page.text) == (200, True)


async def test_a_name_that_is_known_need_not_be_told_again(shop: Shop) -> None:
    assert (await shop.client.post("/customers", json=ANA)).status_code == 200
    told = CONFIRMED | {"customer": {"email": ANA["email"]}}
    created = await create_session(shop, item(await shop.product()), **told)
    assert (await shop.read(f"/payments/{created['payment_id']}"))["customer"]["name"] == ANA["name"]


async def test_a_method_of_another_country_is_sold_to_whoever_comes_from_there(shop: Shop) -> None:
    """Nobody knows the country before the page has asked for it."""
    only = {"allowed_payment_method_types": ["ideal"]}
    product = item(await shop.product(2000, "EUR"))
    created = await create_session(shop, product, **only)
    page = await shop.browser.get(created["checkout_url"])
    assert page.status_code == 200
    typed = {"email": "kim@example.com", "customer_name": "Kim", "street": "Dam 1", "city": "Amsterdam"}
    place = {"country": "NL", "zipcode": "1012 JS"}
    refused = await send(shop.browser, page, **typed, **place | {"country": "DE", "zipcode": "10119"})
    assert (refused.status_code, set(errors_of(refused))) == (422, {"country"})
    onward = await send(shop.browser, refused, **typed, **place)
    assert onward.status_code == 303
    before = await dump(shop.runtime)
    told = {"product_cart": [product], "billing_address": ADDRESS} | only
    response = await shop.client.post("/checkouts", json=told)
    assert (response.status_code, response.json()["code"]) == (422, "NO_ELIGIBLE_PAYMENT_METHODS")
    assert await dump(shop.runtime) == before


async def test_a_confirmed_session_can_be_paid_for_fifteen_minutes(shop: Shop, clock: FakeClock) -> None:
    created = await create_session(shop, item(await shop.product()), **CONFIRMED)
    link = (await shop.read(f"/payments/{created['payment_id']}"))["payment_link"]
    clock.advance(minutes=14, seconds=59)
    assert (await shop.browser.get(link)).status_code == 200
    clock.advance(seconds=1)
    assert (await shop.browser.get(link)).status_code == 410
    await sweep(shop.runtime)
    read = await shop.read(f"/checkouts/{created['session_id']}")
    assert (read["payment_id"], read["payment_status"]) == (created["payment_id"], "cancelled")


FIELD = {"key": "size", "label": "Size", "field_type": "dropdown", "options": ["S", "M"]}


def themed(**theme: Any) -> dict[str, Any]:
    return {"customization": {"theme_config": theme}}


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"product_cart": []}, "PRODUCT_CART_EMTPY", "product_cart is empty"),
    ({"quantity": 0}, "PRODUCT_CART_EMTPY", "product_cart[0].quantity"),
    ({"product_cart": [{"product_id": "pdt_no", "quantity": 1}]}, "NOT_FOUND", "product_cart[0].product_id"),
    ({"product_collection_id": "pdc_1"}, "UNSUPPORTED_ACTION", "product_collection_id"),
    ({"addons": [{"addon_id": "adn_1", "quantity": 1}]}, "MISSING_ADDON_IDS", "product_cart[0].addons"),
    (
        {"credit_entitlements": [{"credit_entitlement_id": "cde_1", "credits_amount": "5"}]},
        "INVALID_REQUEST_BODY",
        "product_cart[0].credit_entitlements",
    ),
    ({"payment_method_id": "pm_1"}, "INVALID_REQUEST_PARAMETERS", "payment_method_id"),
    ({"payment_method_id": "pm_1"} | CONFIRMED, "INVALID_REQUEST_PARAMETERS", "payment_method_id"),
    ({"tax_id": "DE136695976"}, "INVALID_REQUEST_BODY", "tax_id"),
    ({"tax_id": "DE1", "billing_address": ADDRESS}, "INVALID_TAX_ID", "tax_id"),
    ({"customer_business_name": "Ana GmbH"}, "INVALID_REQUEST_BODY", "customer_business_name"),
    ({"customer": {"customer_id": "cus_no"}}, "NOT_FOUND", "customer.customer_id"),
    ({"customer": {"email": "no address"}}, "INVALID_REQUEST_BODY", "customer.email"),
    (CONFIRMED | {"customer": {"email": "bo@example.com"}}, "INVALID_REQUEST_BODY", "customer.name"),
    ({"discount_code": "A", "discount_codes": ["B"]}, "INVALID_REQUEST_BODY", "discount_code"),
    ({"discount_codes": ["NOPE"]}, "INVALID_DISCOUNT_CODE", "discount_codes[0]"),
    ({"discount_codes": ["A"] * 21}, "INVALID_REQUEST_BODY", "discount_codes"),
    ({"billing_address": {"country": "XX"}}, "INVALID_REQUEST_BODY", "billing_address.country"),
    ({"billing_address": {"country": "KP"}}, "UNSUPPORTED_COUNTRY", "billing_address.country"),
    ({"allowed_payment_method_types": ["sunbit"]}, "NO_ELIGIBLE_PAYMENT_METHODS", "allowed_payment_method_types"),
    ({"feature_flags": {"require_phone_number": True, "allow_phone_number_collection": False}},
     "INVALID_REQUEST_BODY", "feature_flags.require_phone_number"),
    ({"feature_flags": {"require_tax_id": True, "allow_tax_id": False}},
     "INVALID_REQUEST_BODY", "feature_flags.require_tax_id"),
    ({"custom_fields": [FIELD] * 6}, "INVALID_REQUEST_BODY", "custom_fields"),
    ({"custom_fields": [FIELD, FIELD]}, "INVALID_REQUEST_BODY", "custom_fields[1].key"),
    ({"custom_fields": [FIELD | {"options": []}]}, "INVALID_REQUEST_BODY", "custom_fields[0].options"),
    ({"custom_fields": [FIELD | {"options": ["S", "S"]}]}, "INVALID_REQUEST_BODY", "custom_fields[0].options"),
    ({"custom_fields": [FIELD | {"label": " "}]}, "INVALID_REQUEST_BODY", "custom_fields[0].label"),
    ({"custom_fields": [FIELD | {"required": True}]} | CONFIRMED, "INVALID_REQUEST_BODY", "custom_fields[0].required"),
    (themed(light={"bg_primary": "red;} body{"}), "INVALID_REQUEST_BODY",
     "customization.theme_config.light.bg_primary"),
    (themed(radius="4"), "INVALID_REQUEST_BODY", "customization.theme_config.radius"),
    (themed(font_primary_url="http://fonts.example/a"), "INVALID_REQUEST_BODY",
     "customization.theme_config.font_primary_url"),
    (themed(pay_button_text="x" * 101), "INVALID_REQUEST_BODY", "customization.theme_config.pay_button_text"),
    ({"return_url": "javascript:alert(1)"}, "INVALID_REQUEST_BODY", "return_url"),
    ({"cancel_url": "javascript:alert(1)"}, "INVALID_REQUEST_BODY", "cancel_url"),
    ({"metadata": {f"k{number}": 1 for number in range(51)}}, "MAXIMUM_KEYS_REACHED", "metadata"),
    (CONFIRMED | {"customer": None}, "INVALID_REQUEST_BODY", "customer"),
    (CONFIRMED | {"billing_address": None}, "INVALID_REQUEST_BODY", "billing_address"),
    (CONFIRMED | {"billing_address": ADDRESS | {"street": " "}}, "INVALID_REQUEST_BODY", "billing_address.street"),
    (CONFIRMED | {"billing_address": {"country": "US"}, "minimal_address": True},
     "INVALID_REQUEST_BODY", "billing_address.zipcode"),
    (CONFIRMED | {"feature_flags": {"require_tax_id": True}}, "INVALID_REQUEST_BODY", "tax_id"),
    (CONFIRMED | {"customer": {"email": "a@example.com"}, "feature_flags": {"require_phone_number": True}},
     "INVALID_REQUEST_BODY", "customer.phone_number"),
]  # fmt: skip


INVALID = "Your request body is invalid."
WHOLE_ADDRESS = "billing_address.street, billing_address.city, billing_address.state, billing_address.zipcode"
QUESTION = FIELD | {"required": True}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, f"customer: {INVALID} confirm: true needs customer, billing_address.country, {WHOLE_ADDRESS}."),
        (
            {"billing_address": {"country": "US", "city": "Reno", "zipcode": " "}, "customer": ANA},
            f"billing_address.street: {INVALID} confirm: true needs billing_address.street, billing_address.state, "
            "billing_address.zipcode.",
        ),
        (
            {
                "minimal_address": True,
                "feature_flags": {"require_tax_id": True},
                "custom_fields": [FIELD, QUESTION | {"key": "b"}],
            },
            f"customer: {INVALID} confirm: true needs customer, billing_address.country, tax_id. With confirm: true "
            "nobody can answer custom_fields[1].required.",
        ),
        (
            CONFIRMED | {"custom_fields": [QUESTION]},
            f"custom_fields[0].required: {INVALID} With confirm: true nobody can answer custom_fields[0].required.",
        ),
    ],
)
async def test_a_confirmed_session_is_told_all_that_it_lacks(shop: Shop, fields: dict[str, Any], message: str) -> None:
    body = {"product_cart": [item(await shop.product())], "confirm": True} | fields
    before = await dump(shop.runtime)
    response = await shop.client.post("/checkouts", json=body)
    assert (response.status_code, response.json()) == (422, {"code": "INVALID_REQUEST_BODY", "message": message})
    assert await dump(shop.runtime) == before


@pytest.mark.parametrize(
    ("lines", "which"),
    [(1, "product_cart[0]"), (3, "one of product_cart[0], product_cart[1], product_cart[2]")],
)
async def test_a_cart_of_nothing_is_told_its_quantity(shop: Shop, lines: int, which: str) -> None:
    body = {"product_cart": [item(await shop.product(), 0)] * lines}
    message = f"product_cart[0].quantity: product_cart is empty: the quantity of {which} must be at least 1"
    for path in ("/checkouts", "/checkouts/preview"):
        before = await dump(shop.runtime)
        response = await shop.client.post(path, json=body)
        assert (response.status_code, response.json()) == (422, {"code": "PRODUCT_CART_EMTPY", "message": message})
        assert await dump(shop.runtime) == before
    body["product_cart"] = [item(await shop.product(), 0), item(await shop.product(500), 1)]
    assert (await shop.client.post("/checkouts/preview", json=body)).json()["total_price"] == 500


@pytest.mark.parametrize(("fields", "code", "path"), REFUSED)
async def test_what_is_refused_changes_nothing(shop: Shop, fields: dict[str, Any], code: str, path: str) -> None:
    await shop.settings(blocked_countries="KP")
    product, line = await shop.product(), {}
    for name in ("quantity", "addons", "credit_entitlements"):
        if name in fields:
            line[name] = fields[name]
    body = {"product_cart": [item(product) | line]} | {key: fields[key] for key in fields if key not in line}
    before = await dump(shop.runtime)
    response = await shop.client.post("/checkouts", json=body)
    assert (response.json()["code"], response.status_code >= 400) == (code, True), response.text
    assert response.json()["message"].startswith(path), response.text
    assert await dump(shop.runtime) == before


async def test_lines_that_cannot_be_sold(shop: Shop) -> None:
    period = {"payment_frequency_count": 1, "payment_frequency_interval": "Month"}
    period |= {"subscription_period_count": 1, "subscription_period_interval": "Year"}
    price = {"type": "usage_based_price", "currency": "USD", "fixed_price": 900, "meters": []} | period
    body = {"name": "Plan", "tax_category": "saas", "price": price}
    metered = (await shop.client.post("/products", json=body)).json()["product_id"]
    gift = await shop.product(500, pay_what_you_want=True)
    refused = await shop.client.post("/checkouts", json={"product_cart": [item(metered)]})
    assert (refused.status_code, refused.json()["code"]) == (422, "UNSUPPORTED_ACTION")
    assert refused.json()["message"].startswith(
        f"product_cart[0].product_id: Product {metered} is sold by measured use"
    )
    unpriced = await shop.client.post("/checkouts", json={"product_cart": [item(gift)]} | CONFIRMED)
    assert (unpriced.status_code, unpriced.json()["code"]) == (422, "PAY_AS_YOU_WANT_AMOUNT_REQUIRED")
    low = await shop.client.post("/checkouts", json={"product_cart": [item(gift, amount=499)]})
    assert (low.status_code, low.json()["code"]) == (422, "REQUEST_AMOUNT_BELOW_MINIMUM")
    assert await session_rows(shop) == 0
    await create_session(shop, item(gift))
    assert await session_rows(shop) == 1


async def test_another_tenant_sees_nothing(shop: Shop, merchant: Merchant, other_merchant: Merchant) -> None:
    product = await shop.product()
    session_id = (await create_session(shop, item(product)))["session_id"]
    before = await dump(shop.runtime)
    for client in (merchant.live_client, other_merchant.client, other_merchant.live_client):
        read = await client.get(f"/checkouts/{session_id}")
        assert (read.status_code, read.json()["code"]) == (404, "NOT_FOUND")
        foreign = await client.post("/checkouts", json={"product_cart": [item(product)]})
        assert (foreign.status_code, foreign.json()["code"]) == (404, "NOT_FOUND")
    assert await dump(shop.runtime) == before


async def test_a_live_session_is_live(shop: Shop, merchant: Merchant) -> None:
    price = {"type": "one_time_price", "currency": "USD", "price": 900}
    body = {"name": "Guide", "tax_category": "e_book", "price": price}
    product_id = (await merchant.live_client.post("/products", json=body)).json()["product_id"]
    made = (await merchant.live_client.post("/checkouts", json={"product_cart": [item(product_id)]} | CONFIRMED)).json()
    assert made["publishable_key"].startswith("pk_live_")
    status = await merchant.live_client.get(f"/checkouts/{made['session_id']}")
    assert status.json()["payment_id"] == made["payment_id"]
    assert (await merchant.client.get(f"/checkouts/{made['session_id']}")).status_code == 404
    assert (await merchant.client.get(f"/payments/{made['payment_id']}")).status_code == 404


@pytest.mark.parametrize("session_id", ["cks_short", "pay_8mJt0wq5nV2xRkLb7YcQd", "cks_8mJt0wq5nV2xRkLb7YcQé"])
async def test_what_is_no_id(shop: Shop, session_id: str) -> None:
    read = await shop.client.get(f"/checkouts/{session_id}")
    assert (read.status_code, read.json()["code"]) == (422, "INVALID_REQUEST_PARAMETERS")
    unknown = await shop.client.get("/checkouts/cks_8mJt0wq5nV2xRkLb7YcQd")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "NOT_FOUND")


async def test_a_read_only_key_creates_none(shop: Shop, merchant: Merchant) -> None:
    body = {"product_cart": [item(await shop.product())]}
    refused = await merchant.read_only_client.post("/checkouts", json=body)
    assert (refused.status_code, await session_rows(shop)) == (403, 0)


async def test_a_retry_after_a_lost_answer_makes_one_session(shop: Shop) -> None:
    body = {"product_cart": [item(await shop.product())], "customer": ANA}
    first = await shop.client.post("/checkouts", json=body)
    again = await shop.client.post("/checkouts", json=body, headers={"x-stainless-retry-count": "1"})
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert await session_rows(shop) == 1
    confirmed = body | CONFIRMED
    first = await shop.client.post("/checkouts", json=confirmed)
    again = await shop.client.post("/checkouts", json=confirmed, headers={"x-stainless-retry-count": "1"})
    assert (again.content, await session_rows(shop)) == (first.content, 2)


async def test_sessions_are_forgotten_and_those_that_were_paid_stay(shop: Shop, clock: FakeClock) -> None:
    product = await shop.product()
    left = (await create_session(shop, item(product)))["session_id"]
    confirmed = (await create_session(shop, item(product), **CONFIRMED))["session_id"]
    clock.advance(days=31, seconds=-1)
    await sweep(shop.runtime)
    assert (await shop.read(f"/checkouts/{left}"))["payment_id"] is None
    clock.advance(seconds=2)
    await sweep(shop.runtime)
    assert (await shop.client.get(f"/checkouts/{left}")).status_code == 404
    assert (await shop.read(f"/checkouts/{confirmed}"))["payment_status"] == "cancelled"


async def test_abandoned_sessions_take_no_use_of_a_code(shop: Shop) -> None:
    discount_id = await shop.percentage("ONCE", 1000, usage_limit=1)
    product = await shop.product()
    for _ in range(1000):
        await create_session(shop, item(product), discount_codes=["ONCE"])
    assert await session_rows(shop) == 1000
    assert await shop.uses(discount_id) == (0, 0)
    confirmed = await create_session(shop, item(product), discount_codes=["ONCE"], **CONFIRMED)
    assert (confirmed["payment_id"] is None, await shop.uses(discount_id)) == (False, (0, 1))
