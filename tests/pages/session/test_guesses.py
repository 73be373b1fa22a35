"""Codes and tax ids that are tried at many forms, or at one many times at once."""

import asyncio
from collections import Counter

import httpx

from api.sessions.opening import create_session
from orders import token_of
from pages.changing import error_of, link, send_code
from pages.session.filling import errors_of, send, total_of
from shop import Shop, item

WRONG = "This code is not valid."
TIRED = "Too many codes were tried. Please wait a while, or pay without another code."


async def bought_page(shop: Shop, product: str) -> httpx.Response:
    """Open a static link of a product as anybody can, which makes a session."""
    return await shop.browser.get((await shop.browser.get(f"/buy/{product}")).headers["location"])


async def test_sessions_that_anybody_opens_bring_no_more_guesses(shop: Shop) -> None:
    await shop.percentage("SECRET", 5000)
    product = await shop.product(2000)
    for number in range(100):
        if number % 20 == 0:
            page = await bought_page(shop, product)
        name, button = ("tax_id", "update") if number % 2 else ("code", "apply")
        refused = await send(shop.browser, page, **{"country": "DE", button: "yes", name: f"DE{number}"})
        assert (refused.status_code, list(errors_of(refused))) == (422, [name]), number
    page, payment = await bought_page(shop, product), await link(shop)
    tired = await send(shop.browser, page, apply="yes", code="SECRET")
    assert (tired.status_code, errors_of(tired), total_of(tired)) == (422, {"code": TIRED}, "$20.00")
    assert error_of(await send_code(shop.browser, payment, code="SECRET"), "code") == TIRED
    shop.browser.headers["x-forwarded-for"] = "198.51.100.7"
    elsewhere = await send(shop.browser, page, apply="yes", code="SECRET")
    assert (elsewhere.status_code, total_of(elsewhere)) == (200, "$10.00")
    assert (await send_code(shop.browser, payment, code="SECRET")).status_code == 303
    del shop.browser.headers["x-forwarded-for"]
    shop.clock.advance(seconds=36)
    rested = await send(shop.browser, page, apply="yes", code="SECRET")
    assert (rested.status_code, total_of(rested)) == (200, "$10.00")


async def test_codes_that_hold_take_no_guesses_away(shop: Shop) -> None:
    await shop.percentage("HALF", 5000)
    page = await bought_page(shop, await shop.product(2000))
    for _ in range(21):
        assert total_of(await send(shop.browser, page, apply="yes", code="HALF")) == "$10.00"


async def test_guesses_at_once_are_no_more_than_one_after_the_other(shop: Shop) -> None:
    created = await create_session(shop, item(await shop.product(2000)))
    page = await shop.browser.get(created["checkout_url"])
    guesses = (send(shop.browser, page, apply="yes", code=f"GUESS{number}") for number in range(30))
    answers = [errors_of(answer)["code"] for answer in await asyncio.gather(*guesses)]
    assert Counter(answers) == {WRONG: 20, TIRED: 10}


async def test_guesses_at_once_of_a_link(shop: Shop, browser: httpx.AsyncClient) -> None:
    payment = await link(shop)
    token = token_of(await browser.get(f"/{payment.link_id}"))
    guesses = (
        browser.post(f"/{payment.link_id}/discount", data={"token": token, "code": f"GUESS{number}"})
        for number in range(30)
    )
    answers = [error_of(answer, "code") for answer in await asyncio.gather(*guesses)]
    assert Counter(answers) == {WRONG: 20, TIRED: 10}
