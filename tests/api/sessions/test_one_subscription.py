"""Where a customer may have one subscription, a cart with several is refused before anybody is asked for anything."""

from typing import Any

import pytest

from api.sessions.opening import ADDRESS, ANA
from api.subscriptions.subscribing import Club, open_session
from nicobar.flows.business.change_setting import change_setting
from orders import dump
from pages.session.filling import send
from shop import Shop, item

REFUSED = {
    "code": "CUSTOMER_HAS_EXISTING_SUBSCRIPTION",
    "message": "product_cart: A customer may have one subscription, and the cart has several. "
    "To allow multiple subscriptions per customer, change business settings",
}


async def allow_one(club: Club) -> None:
    await change_setting(club.runtime, club.merchant.tenant, "multiple_subscriptions", "false")
    club.clock.advance(seconds=6)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/checkouts", {}),
        ("/checkouts", {"customer": ANA, "billing_address": ADDRESS, "confirm": True}),
        ("/checkouts", {"feature_flags": {"always_create_new_customer": True}}),
        ("/checkouts/preview", {}),
    ],
)
async def test_several_at_once_are_refused(club: Club, shop: Shop, path: str, fields: dict[str, Any]) -> None:
    book = item(await shop.product(500))
    cart = [item(await club.product()), item(await club.product(price=900)), book]
    await club.call("POST", path, {"product_cart": cart} | fields)
    await allow_one(club)
    before = await dump(club.runtime)
    assert await club.call("POST", path, {"product_cart": cart} | fields, status=409) == REFUSED
    assert await dump(club.runtime) == before
    own = {"customer": ANA | {"email": "kim@example.com"}} if "customer" in fields else {}
    await club.call("POST", path, {"product_cart": [cart[0], book]} | fields | own)


async def test_a_session_of_earlier_sells_nothing_any_more(club: Club) -> None:
    page = await open_session(club, item(await club.product()), item(await club.product(price=900)))
    assert page.status_code == 200
    await allow_one(club)
    before = await dump(club.runtime)
    assert (await club.browser.get(page.url)).status_code == 410
    typed = {"email": "kim@example.com", "customer_name": "Kim", "country": "DE"} | ADDRESS
    assert (await send(club.browser, page, **typed)).status_code == 410
    assert await dump(club.runtime) == before
