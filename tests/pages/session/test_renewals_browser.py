"""A subscription in a real browser, with scripts and without, from the session to the receipt."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from api.subscriptions.subscribing import Club
from nicobar.flows.runtime import Runtime
from pages.axe import obstacles
from pages.browsing import online, visiting
from shop import item

MONTHLY = "Free until March 28, 2026, then $30.00 every month."


@pytest_asyncio.fixture
async def site(runtime: Runtime) -> AsyncIterator[str]:
    """The address of a real server on the club's database."""
    async with online(runtime) as runtime:
        yield runtime.public_url


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_free_trial_from_the_session_to_the_receipt(
    club: Club, site: str, chromium: Browser, scripts: bool
) -> None:
    body = {"product_cart": [item(await club.product(trial_period_days=14))]}
    session_id = (await club.call("POST", "/checkouts", body))["session_id"]
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(f"{site}/session/{session_id}?lang=en")
        assert await page.locator(".renewals p").first.inner_text() == MONTHLY
        assert await page.locator(".due .amount").inner_text() == "$0.00"
        for name, text in (("email", "kim@example.com"), ("customer_name", "Kim Park")):
            await page.fill(f"#{name}", text)
        await page.select_option("#state", "CA")
        for name, text in (("street", "1 Main St"), ("zipcode", "94601"), ("city", "Oakland")):
            await page.fill(f"#{name}", text)
        await page.locator("form[data-session] > button.button").click()
        await page.wait_for_selector("#number")
        assert await page.locator(".renewals p").first.inner_text() == MONTHLY
        await page.fill("#number", "4242424242424242")
        await page.fill("#expiry", "12/30")
        await page.fill("#cvc", "123")
        await page.fill("#name", "Kim Park")
        await page.locator("form:has(#number) button.button[type=submit]").first.click()
        await page.wait_for_selector(".receipt")
        assert await page.locator(".renewals p").all_inner_texts() == [MONTHLY]
    (own,) = (await club.call("GET", "/subscriptions"))["items"]
    assert (own["status"], own["has_payment_method"]) == ("active", True)
    assert await club.told() == ["payment.succeeded", "subscription.active"]


@pytest.mark.parametrize("width", [360, 1280])
async def test_nothing_is_in_the_way_of_anybody(club: Club, site: str, chromium: Browser, width: int) -> None:
    cart = [item(await club.product()), item(await club.product(name="Other"), 2)]
    session_id = (await club.call("POST", "/checkouts", {"product_cart": cart}))["session_id"]
    async with visiting(chromium, viewport={"width": width, "height": 800}) as page:
        await page.goto(f"{site}/session/{session_id}?lang=en")
        assert await obstacles(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
