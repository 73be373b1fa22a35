"""Getting into the portal, and not getting in."""

from datetime import timedelta

import httpx
import pytest

from api.subscriptions.subscribing import Club
from harness import Merchant
from nicobar.app import _told
from nicobar.core.customers.portal_session import LIFETIME
from nicobar.flows.business.change_setting import change_setting
from pages.portal.portals import PAGE, enter, link_of


@pytest.fixture
async def customer(club: Club) -> str:
    made: str = (await club.call("POST", "/customers", {"email": "ana@example.com", "name": "Ana"}))["customer_id"]
    return made


async def test_the_link_becomes_a_cookie_for_this_session_alone(
    club: Club, customer: str, browser: httpx.AsyncClient
) -> None:
    link = await link_of(club.merchant, customer)
    secret = link.rpartition("/")[2]
    answer = await browser.get(link)
    home = link.partition("/open/")[0]
    assert (answer.status_code, answer.headers["location"]) == (303, home)
    assert answer.headers["set-cookie"] == f"portal={secret}; HttpOnly; Max-Age=86400; Path={home}; SameSite=lax"
    assert (answer.headers["referrer-policy"], answer.headers["cache-control"]) == ("no-referrer", "no-store")
    page = await browser.get(home)
    assert page.status_code == 200 and secret not in page.text
    assert (page.headers["referrer-policy"], page.headers["x-frame-options"]) == ("no-referrer", "DENY")
    assert timedelta(hours=24) == LIFETIME


async def test_the_link_works_again_until_it_ends(club: Club, customer: str) -> None:
    visitor = await enter(club, customer)
    club.clock.advance(hours=23, minutes=59, seconds=59)
    assert "Your account with" in await visitor.get()
    assert (await visitor.client.get(visitor.link)).status_code == 303
    club.clock.advance(seconds=1)
    await visitor.get(status=404)
    assert (await visitor.client.get(visitor.link, headers=PAGE)).status_code == 404


async def test_whatever_opens_nothing_gets_one_and_the_same_page(
    club: Club, customer: str, browser: httpx.AsyncClient, other_merchant: Merchant
) -> None:
    other = (await club.call("POST", "/customers", {"email": "bo@example.com", "name": "Bo"}))["customer_id"]
    ended = await link_of(club.merchant, customer)
    club.clock.advance(hours=25)
    link, of_other = await link_of(club.merchant, customer), await link_of(club.merchant, other)
    home, _, secret = link.partition("/open/")
    foreign_secret = of_other.rpartition("/")[2]
    cookie = {"cookie": f"portal={foreign_secret}"}
    answers = [
        await browser.get(ended),
        await browser.get(f"{link}x"),
        await browser.get(link[:-1]),
        await browser.get(f"{home}/open/{foreign_secret}"),
        await browser.get(f"{home}x/open/{secret}"),
        await browser.get(f"/portal/cps_{'a' * 21}/open/{secret}"),
        await browser.get(f"/portal/nothing/open/{secret}"),
        await browser.get(home),
        await browser.get(home, headers=cookie),
        await browser.get(f"{home}/details", headers=cookie),
        await browser.get(f"{home}/subscriptions/sub_x/cancel", headers=cookie),
        await browser.post(f"{home}/details", headers=cookie, data={"token": "x", "customer_name": "Eve"}),
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
    assert all("set-cookie" not in answer.headers for answer in answers)
    assert "This link is not valid" in answers[0].text
    for hint in (customer, "Ana", "Dodo Records", "ana@"):
        assert hint not in answers[0].text
    assert (await club.call("GET", f"/customers/{customer}"))["name"] == "Ana"


async def test_guessing_is_slowed_down_and_a_good_link_still_opens(
    club: Club, customer: str, browser: httpx.AsyncClient
) -> None:
    link = await link_of(club.merchant, customer)
    answers = [(await browser.get(f"{link[:-1]}{index % 10}")).status_code for index in range(31)]
    assert answers.count(429) >= 1 and answers[-1] == 429
    assert (await browser.get(link)).status_code == 303


async def test_test_and_live_mode_have_portals_of_their_own(club: Club, browser: httpx.AsyncClient) -> None:
    own = await club.subscribe()
    live = await club.merchant.live_client.post("/customers", json={"email": "ana@example.com", "name": "Ana Live"})
    made = await club.merchant.live_client.post(f"/customers/{live.json()['customer_id']}/customer-portal/session")
    path = made.json()["link"].removeprefix("http://pay.test")
    home = (await browser.get(path)).headers["location"]
    page = (await browser.get(home)).text
    assert "You have no subscriptions." in page and "Ana Live" in page
    for place in (f"subscriptions/{own['subscription_id']}/cancel", f"payments/{own['subscription_id']}"):
        assert (await browser.get(f"{home}/{place}")).status_code == 404


async def test_a_program_is_answered_in_json(club: Club, customer: str, browser: httpx.AsyncClient) -> None:
    link = await link_of(club.merchant, customer)
    answer = await browser.get(f"{link}x", headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_the_secret_is_cut_in_logs() -> None:
    secret = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq"
    path = f"/portal/cps_OngtHP6zW4EPuUYHZI8tM/open/{secret}"
    assert _told(path) == "/portal/cps_OngtHP6zW4EPuUYHZI8tM/open/ab..."


async def test_the_portal_speaks_the_customers_language(club: Club, customer: str) -> None:
    visitor = await enter(club, customer)
    assert "Your account with" in await visitor.get()
    await club.call("PATCH", f"/customers/{customer}", {"preferred_locale": "de"})
    assert "Ihr Konto bei" in await visitor.get()
    page = (await visitor.client.get(visitor.home, params={"lang": "fr"}, headers=PAGE)).text
    assert "Votre compte chez" in page and f"{visitor.home}/details?lang=fr" in page


async def test_it_leads_back_where_the_session_or_the_business_says(club: Club, customer: str) -> None:
    assert "Return to" not in await (await enter(club, customer)).get()
    await set_address(club, "https://shop.example/home")
    assert 'href="https://shop.example/home"' in await (await enter(club, customer)).get()
    page = await (await enter(club, customer, return_url="https://shop.example/account")).get()
    assert 'href="https://shop.example/account"' in page and "shop.example/home" not in page
    await set_address(club, "myapp://home")
    assert 'href="myapp://home"' in await (await enter(club, customer)).get()


async def set_address(club: Club, address: str) -> None:
    await change_setting(club.runtime, club.merchant.tenant, "portal_return_url", address)
    club.clock.advance(seconds=6)
