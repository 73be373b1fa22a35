"""Where customers may have one subscription, a refusal tells that an address has it: few addresses can be tried."""

import asyncio

import httpx
import pytest_asyncio

from api.subscriptions.subscribing import Club, open_session
from nicobar.flows.business.change_setting import change_setting
from orders import dump
from pages.session.filling import send

KIM = {"email": "kim@example.com", "customer_name": "Kim Park"}
EVE = {"email": "eve@example.com", "customer_name": "Eve"}
PLACE = {"country": "DE", "street": "Torstr. 1", "zipcode": "10119", "city": "Berlin"}
REFUSED = "This order cannot be made as it is. Please check your details."


async def opened(club: Club) -> httpx.Response:
    """Return the page of a session that sells a subscription to whoever types an address."""
    return await open_session(club, {"product_id": await club.product(), "quantity": 1}, billing_address=PLACE)


@pytest_asyncio.fixture
async def page(club: Club) -> httpx.Response:
    """The page of such a session; Kim has her only subscription already."""
    await change_setting(club.runtime, club.merchant.tenant, "multiple_subscriptions", "false")
    await club.subscribe(customer={"email": "kim@example.com", "name": "Kim"})
    return await opened(club)


async def test_sixty_an_hour_are_refused(club: Club, page: httpx.Response) -> None:
    before = await dump(club.runtime)
    answers = await asyncio.gather(*[send(club.browser, page, **KIM) for _ in range(70)])
    assert sorted(answer.status_code for answer in answers) == [422] * 60 + [429] * 10
    assert all(REFUSED in answer.text for answer in answers if answer.status_code == 422)
    assert not any("cus_" in answer.text or "existing" in answer.text for answer in answers)
    assert await dump(club.runtime) == before
    assert (await send(club.browser, await opened(club), **EVE)).status_code == 429
    club.browser.headers["x-forwarded-for"] = "198.51.100.7"
    assert (await send(club.browser, await opened(club), **EVE)).status_code == 303
    del club.browser.headers["x-forwarded-for"]
    club.clock.advance(minutes=1)
    assert (await send(club.browser, await opened(club), **EVE)).status_code == 303


async def test_who_is_not_refused_takes_no_try_away(club: Club, page: httpx.Response) -> None:
    for _ in range(59):
        assert (await send(club.browser, page, **KIM)).status_code == 422
    assert (await send(club.browser, await opened(club), **EVE)).status_code == 303
    assert (await send(club.browser, page, **KIM)).status_code == 422
    assert (await send(club.browser, page, **KIM)).status_code == 429
