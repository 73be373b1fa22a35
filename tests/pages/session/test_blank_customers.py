"""A customer of a session of whom a merchant sent blanks: the page asks, as it does where nothing was sent."""

import httpx
import pytest

from api.answers import answered
from api.sessions.opening import ADDRESS, create_session
from pages.session.filling import errors_of, fields_of, send
from shop import Shop, item

DETAILS = {
    "email": "kim@example.com",
    "customer_name": "Ana",
    "phone": "+4930555010",
    "country": "DE",
    "street": "Torstr. 1",
    "zipcode": "10119",
    "city": "Berlin",
}

CARD = {"method": "card", "number": "5555 5555 5555 4444", "expiry": "06 / 32", "cvc": "123", "name": "Kim Park"}


async def customer_named(shop: Shop, name: str) -> str:
    body = {"email": "kim@example.com", "name": name}
    customer_id: str = answered(await shop.client.post("/customers", json=body))["customer_id"]
    return customer_id


@pytest.mark.parametrize(
    ("customer", "asked"),
    [
        ({"customer_id": " ", "email": "ana@example.com", "name": " "}, {"customer_name", "phone"}),
        ({"email": " ", "name": "Ana", "phone_number": " "}, {"email", "phone"}),
        ({"email": "", "name": "\u200b", "phone_number": ""}, {"email", "customer_name", "phone"}),
    ],
)
async def test_a_blank_is_asked_for_like_what_is_missing(shop: Shop, customer: dict[str, str], asked: set[str]) -> None:
    created = await create_session(shop, item(await shop.product(2000)), customer=customer)
    page = await shop.browser.get(created["checkout_url"])
    fields = fields_of(page)
    assert {name for name in fields if name in ("email", "customer_name", "phone")} == asked
    assert [fields[name] for name in asked] == [""] * len(asked)
    typed = {name: value for name, value in DETAILS.items() if name in fields}
    assert (await send(shop.browser, page, **typed)).status_code == 303
    (payment,) = (await shop.read("/payments"))["items"]
    buyer = payment["customer"]
    assert (buyer["name"], buyer["phone_number"]) == ("Ana", "+4930555010")


@pytest.mark.parametrize("single_page", [False, True])
async def test_the_name_of_a_known_customer_without_one_is_asked_for_and_kept(shop: Shop, single_page: bool) -> None:
    customer_id = await customer_named(shop, "")
    flags = {"single_page": single_page, "allow_phone_number_collection": False}
    fields = {"customer": {"customer_id": customer_id}, "billing_address": ADDRESS, "feature_flags": flags}
    created = await create_session(shop, item(await shop.product(2000)), **fields)
    page = await shop.browser.get(created["checkout_url"])
    assert {name for name in fields_of(page) if name in ("email", "customer_name", "phone")} == {"customer_name"}
    card = CARD if single_page else {}
    refused = await send(shop.browser, page, **card)
    assert (refused.status_code, list(errors_of(refused))) == (422, ["customer_name"])
    assert (await shop.read("/payments"))["items"] == []
    assert (await send(shop.browser, refused, customer_name="Kim Park", **card)).status_code == 303
    (payment,) = (await shop.read("/payments"))["items"]
    buyer, status = payment["customer"], "succeeded" if single_page else "requires_payment_method"
    assert (payment["status"], buyer["customer_id"], buyer["name"]) == (status, customer_id, "Kim Park")
    assert (await shop.read(f"/customers/{customer_id}"))["name"] == "Kim Park"


@pytest.mark.parametrize(("name", "flags"), [("Kim", {}), ("", {"allow_customer_editing_name": False})])
async def test_a_known_name_and_one_that_is_locked_are_not_asked_for(
    shop: Shop, name: str, flags: dict[str, bool]
) -> None:
    customer_id = await customer_named(shop, name)
    fields = {"customer": {"customer_id": customer_id}, "feature_flags": {"single_page": True} | flags}
    created = await create_session(shop, item(await shop.product(2000)), **fields)
    assert "customer_name" not in fields_of(await shop.browser.get(created["checkout_url"]))


async def with_open_address(shop: Shop, customer_id: str) -> httpx.Response:
    """Return the one page on which a known customer may type an e-mail address, which can be somebody else's."""
    flags = {"single_page": True, "allow_phone_number_collection": False, "allow_customer_editing_email": True}
    fields = {"customer": {"customer_id": customer_id}, "billing_address": ADDRESS, "feature_flags": flags}
    created = await create_session(shop, item(await shop.product(2000)), **fields)
    return await shop.browser.get(created["checkout_url"])


async def test_who_can_become_somebody_else_in_one_step_tells_a_name(shop: Shop) -> None:
    customer_id = await customer_named(shop, "Kim")
    page = await with_open_address(shop, customer_id)
    assert {name: value for name, value in fields_of(page).items() if name in ("email", "customer_name")} == {
        "email": "",
        "customer_name": "",
    }
    refused = await send(shop.browser, page, email="lea@example.com", **CARD)
    assert (refused.status_code, list(errors_of(refused))) == (422, ["customer_name"])
    assert (await shop.read("/payments"))["items"] == []
    assert (await send(shop.browser, refused, customer_name="Lea", **CARD)).status_code == 303
    (payment,) = (await shop.read("/payments"))["items"]
    buyer = payment["customer"]
    assert (payment["status"], buyer["email"], buyer["name"]) == ("succeeded", "lea@example.com", "Lea")
    assert (await shop.read(f"/customers/{customer_id}"))["name"] == "Kim"


async def test_who_stays_the_same_by_the_address_keeps_the_name(shop: Shop) -> None:
    customer_id = await customer_named(shop, "Kim")
    page = await with_open_address(shop, customer_id)
    sent = await send(shop.browser, page, email="kim@example.com", customer_name="Eve", **CARD)
    assert sent.status_code == 303
    (payment,) = (await shop.read("/payments"))["items"]
    buyer = payment["customer"]
    assert (payment["status"], buyer["customer_id"], buyer["name"]) == ("succeeded", customer_id, "Kim")
