"""A real browser in the portal: on a phone and a wide screen, in the dark, by keyboard, without scripts."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from api.subscriptions.subscribing import RENEWALS_FAIL, Club
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.runtime import Runtime
from pages.axe import obstacles
from pages.browsing import online, visiting
from pages.portal.portals import link_of, save_card

FIT = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
LONG = "Club-of-everybody-who-likes-birds-and-has-a-name-without-any-blank-in-it"


@pytest_asyncio.fixture
async def site(runtime: Runtime) -> AsyncIterator[str]:
    """The address of a real server on the club's database."""
    async with online(runtime) as runtime:
        yield runtime.public_url


async def filled(club: Club) -> tuple[str, str]:
    """Return a customer with everything that the portal shows, and the subscription that can be changed."""
    settings = {"portal_pause": "true", "portal_return_url": "https://shop.example/account"}
    for name, value in settings.items():
        await change_setting(club.runtime, club.merchant.tenant, name, value)
    late = await club.subscribe(number=RENEWALS_FAIL, quantity=2)
    await club.work(days=31)
    product = await club.product(payment_frequency_interval="Year")
    await club.call("PATCH", f"/products/{product}", {"name": LONG})
    own = await club.subscribe(product)
    ended = await club.subscribe()
    await club.call("PATCH", f"/subscriptions/{ended['subscription_id']}", {"status": "cancelled"})
    customer_id = late["customer"]["customer_id"]
    await save_card(club, customer_id, "5555555555554444")
    return customer_id, own["subscription_id"]


async def opened(club: Club, site: str, page: Page, customer_id: str) -> str:
    """Open the portal; return its address."""
    await page.goto(site + await link_of(club.merchant, customer_id))
    assert "/open/" not in page.url
    return page.url


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")])
async def test_nothing_is_in_the_way_of_anybody(
    club: Club, site: str, chromium: Browser, width: int, scheme: Any
) -> None:
    customer_id, subscription_id = await filled(club)
    cards = (await club.call("GET", f"/customers/{customer_id}/payment-methods"))["items"]
    payments = (await club.call("GET", f"/payments?customer_id={customer_id}&status=succeeded"))["items"]
    looks: dict[str, Any] = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    async with visiting(chromium, tolerated=["status of 403", "status of 404"], **looks) as page:
        home = await opened(club, site, page, customer_id)
        for place in (
            "",
            "?done=1",
            "?lang=ar",
            f"/subscriptions/{subscription_id}/cancel",
            f"/subscriptions/{subscription_id}/card",
            f"/subscriptions/{subscription_id}/address",
            *(f"/cards/{card['payment_method_id']}/remove" for card in cards),
            "/details",
            f"/payments/{payments[0]['payment_id']}",
        ):
            await page.goto(home + place)
            assert await obstacles(page) == [], place
            assert await page.evaluate(FIT) is True, place
        await change_setting(club.runtime, club.merchant.tenant, "portal_details", "false")
        club.clock.advance(seconds=6)
        await page.goto(f"{home}/details")
        assert "This is not possible" in await page.inner_text("h1")
        assert await obstacles(page) == []
        await page.goto(f"{home}x")
        assert await page.inner_text("h1") == "This link is not valid"
        assert await obstacles(page) == []


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_subscription_is_cancelled_and_kept_by_keyboard(
    club: Club, site: str, chromium: Browser, scripts: bool
) -> None:
    own = await club.subscribe()
    async with visiting(chromium, java_script_enabled=scripts) as page:
        home = await opened(club, site, page, own["customer"]["customer_id"])
        await page.focus("a[href$='/cancel']")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#reason")
        await page.focus("input[value=later]")
        await page.keyboard.press("ArrowDown")
        assert await page.is_checked("input[value=now]")
        await page.keyboard.press("ArrowUp")
        await page.keyboard.press("Tab")
        await page.keyboard.type("I do not use")
        await page.keyboard.press("Tab")
        await page.keyboard.type("Too few birds")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("[role=status]")
        assert page.url == f"{home}?done=1"
        told = await club.read(own["subscription_id"])
        assert (told["cancel_at_next_billing_date"], told["cancellation_feedback"], told["cancellation_comment"]) == (
            True,
            "unused",
            "Too few birds",
        )
        await page.focus("button:has-text('Keep subscription')")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("a[href$='/cancel']")
    assert (await club.read(own["subscription_id"]))["cancel_at_next_billing_date"] is False


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_billing_address_moves_to_another_country(
    club: Club, site: str, chromium: Browser, scripts: bool
) -> None:
    own = await club.subscribe(billing={"country": "DE", "street": "Torstr. 1", "zipcode": "10119", "city": "Berlin"})
    viewport: Any = {"width": 360, "height": 800}
    async with visiting(chromium, tolerated=["status of 422"], java_script_enabled=scripts, viewport=viewport) as page:
        home = await opened(club, site, page, own["customer"]["customer_id"])
        await page.click("a[href$='/address']")
        await page.select_option("#country", "US")
        await page.click("button.button")
        await page.wait_for_selector("[role=status]")
        assert not scripts or await obstacles(page) == []
        for name, text in (("street", "1 Main St"), ("city", "Oakland"), ("zipcode", "9")):
            await page.fill(f"#{name}", text)
        await page.select_option("#state", "CA")
        await page.keyboard.press("Tab")
        await page.click("button.button")
        await page.wait_for_selector("#zipcode-error")
        assert not scripts or await obstacles(page) == []
        assert await page.input_value("#street") == "1 Main St"
        assert (await club.read(own["subscription_id"]))["billing"] == own["billing"]
        await page.fill("#zipcode", "94601")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{home}?done=1")
    address = {"country": "US", "street": "1 Main St", "city": "Oakland", "state": "CA", "zipcode": "94601"}
    assert (await club.read(own["subscription_id"]))["billing"] == address


async def test_a_new_card_is_entered_and_the_way_leads_back(club: Club, site: str, chromium: Browser) -> None:
    own = await club.subscribe(billing={"country": "DE", "street": "Torstr. 1", "zipcode": "10119", "city": "Berlin"})
    async with visiting(chromium) as page:
        home = await opened(club, site, page, own["customer"]["customer_id"])
        await page.click("a[href$='/card']")
        await page.check("input[value=new]")
        await page.click("button.button")
        await page.wait_for_selector("#number")
        for name, text in (("number", "5555555555554444"), ("expiry", "06/32"), ("cvc", "123"), ("name", "Ana")):
            await page.fill(f"#{name}", text)
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".receipt")
        await page.click(".receipt a.button")
        await page.wait_for_selector("text=Charged to Mastercard ending in 4444")
        assert page.url.startswith(home)
    assert (await club.read(own["subscription_id"]))["payment_method_id"] != own["payment_method_id"]


async def test_the_secret_leaves_the_address_and_is_no_referrer(club: Club, site: str, chromium: Browser) -> None:
    own = await club.subscribe()
    link = await link_of(club.merchant, own["customer"]["customer_id"], return_url=f"{site}/docs")
    secret = link.rpartition("/")[2]
    async with visiting(chromium) as page:
        sent: list[tuple[str, dict[str, str]]] = []
        page.on("request", lambda request: sent.append((request.url, request.headers)))
        await page.goto(site + link)
        await page.click("a[href$='/details']")
        await page.wait_for_selector("#phone")
        await page.go_back()
        await page.click(f"a[href='{site}/docs']")
        await page.wait_for_url(f"{site}/docs")
        assert [url for url, _ in sent if secret in url] == [site + link]
        assert [headers for _, headers in sent if "referer" in headers and "/portal/" in headers["referer"]] == []
        assert await page.evaluate("document.cookie") == ""
