"""The phone number of a customer whom a session names by an id: told on the page, it is the customer's, once."""

from typing import Any

import pytest

from api.answers import answered
from api.sessions.opening import ADDRESS, create_session
from orders import dump, pay
from pages.session.filling import errors_of, fields_of, send
from shop import Shop, item

CARD = {"method": "card", "number": "4242424242424242", "expiry": "12/34", "cvc": "123", "name": "Kim Park"}
MONTHLY: dict[str, Any] = {
    "type": "recurring_price",
    "payment_frequency_count": 1,
    "payment_frequency_interval": "Month",
    "subscription_period_count": 1,
    "subscription_period_interval": "Year",
}
TOLD = "+4930555010"
OTHER = "+4930555999"


async def customer_of(shop: Shop, phone_number: str | None) -> str:
    body = {"email": "kim@example.com", "name": "Kim Park", "phone_number": phone_number}
    customer_id: str = answered(await shop.client.post("/customers", json=body))["customer_id"]
    return customer_id


def session_of(customer_id: str, *, single_page: bool) -> dict[str, Any]:
    flags = {"require_phone_number": True, "single_page": single_page}
    return {"customer": {"customer_id": customer_id}, "billing_address": ADDRESS, "feature_flags": flags}


@pytest.mark.parametrize("stored", [None, OTHER])
@pytest.mark.parametrize("single_page", [False, True])
@pytest.mark.parametrize("recurring", [False, True])
async def test_it_is_kept_where_nobody_knew_one(
    shop: Shop, stored: str | None, single_page: bool, recurring: bool
) -> None:
    customer_id = await customer_of(shop, stored)
    product = await shop.product(2000, **(MONTHLY if recurring else {}))
    created = await create_session(shop, item(product), **session_of(customer_id, single_page=single_page))
    page = await shop.browser.get(created["checkout_url"])
    assert ("phone" in fields_of(page)) is (stored is None)
    onward = await send(shop.browser, page, phone=TOLD, **(CARD if single_page else {}))  # nobody asked for another one
    assert onward.status_code == 303
    if not single_page:
        await pay(shop.browser, onward.headers["location"])
    payment_id = (await shop.read(f"/checkouts/{created['session_id']}"))["payment_id"]
    payment = await shop.read(f"/payments/{payment_id}")
    expected = (customer_id, "Kim Park", stored or TOLD)
    buyer = payment["customer"]
    assert (payment["status"], buyer["customer_id"], buyer["name"], buyer["phone_number"]) == ("succeeded", *expected)
    assert (await shop.read(f"/customers/{customer_id}"))["phone_number"] == (stored or TOLD)


@pytest.mark.parametrize("single_page", [False, True])
async def test_what_is_none_is_refused_and_nothing_is_made(shop: Shop, single_page: bool) -> None:
    customer_id = await customer_of(shop, None)
    session = session_of(customer_id, single_page=single_page)
    created = await create_session(shop, item(await shop.product(2000)), **session)
    page = await shop.browser.get(created["checkout_url"])
    before = await dump(shop.runtime)
    refused = await send(shop.browser, page, phone="abc", **(CARD if single_page else {}))
    assert (refused.status_code, set(errors_of(refused))) == (422, {"phone"})
    assert await dump(shop.runtime) == before


async def test_a_session_that_asks_for_none_takes_none(shop: Shop) -> None:
    customer_id = await customer_of(shop, None)
    session = session_of(customer_id, single_page=False) | {"feature_flags": {"allow_phone_number_collection": False}}
    created = await create_session(shop, item(await shop.product(2000)), **session)
    page = await shop.browser.get(created["checkout_url"])
    assert "phone" not in fields_of(page)
    assert (await send(shop.browser, page, phone=TOLD)).status_code == 303
    assert (await shop.read(f"/customers/{customer_id}"))["phone_number"] is None
