"""A customer of a session of whom a merchant sent blanks: the page asks, as it does where nothing was sent."""

import pytest

from api.sessions.opening import create_session
from pages.session.filling import fields_of, send
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
