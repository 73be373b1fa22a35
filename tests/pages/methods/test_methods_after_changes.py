"""A customer who changes the order is offered what it can be paid by then, with scripts and without."""

from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from pages.browsing import online, unfold_order, visiting
from pages.changing import link, send_details
from pages.paying import offered_on
from repricing import current
from shop import EXAMPLE_RATES, Shop, item

AMSTERDAM: dict[str, Any] = {"country": "NL", "street": "Keizersgracht 1", "zipcode": "1015 CN", "city": "Amsterdam"}
NEW_YORK: dict[str, Any] = {
    "country": "US",
    "street": "350 Fifth Avenue",
    "city": "New York",
    "state": "NY",
    "zipcode": "10118",
}


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(adaptive_pricing="on")
    return shop


async def test_the_methods_follow_the_country(shop: Shop, browser: httpx.AsyncClient) -> None:
    payment = await link(shop, billing=AMSTERDAM)
    page = await browser.get(f"/{payment.link_id}")
    assert offered_on(page) == ["apple_pay", "google_pay", "card", "ideal", "satispay", "sepa"]
    await send_details(browser, payment, country="IN")
    await send_details(browser, payment, street="MG Road 1", city="Mumbai", state="Maharashtra", zipcode="400001")
    page = await browser.get(f"/{payment.link_id}")
    assert offered_on(page) == ["card", "upi_collect"]
    decided = (await shop.merchant.client.get(f"/payments/{payment.payment_id}/methods")).json()
    assert (decided["country"], decided["currency"]) == ("IN", "INR")
    offered = [item["payment_method_type"] for item in decided["items"] if item["offered"]]
    assert offered == ["credit", "debit", "upi_collect"]


async def test_a_country_that_leaves_no_method_is_not_taken(shop: Shop, browser: httpx.AsyncClient) -> None:
    payment = await link(shop, billing=AMSTERDAM, allowed_payment_method_types=["ideal"])
    answer = await send_details(browser, payment, country="DE")
    assert answer.status_code in (200, 422)
    assert (await current(shop, payment.payment_id)).billing.country == "NL"
    assert offered_on(await browser.get(f"/{payment.link_id}")) == ["ideal"]


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_chosen_method_that_a_discount_takes_away_gives_way_to_cards(
    shop: Shop, chromium: Browser, runtime: Runtime, scripts: bool
) -> None:
    """Klarna takes 50.01 dollars and more; with the code the order costs 49.50."""
    await shop.percentage("TEN", 1000)
    payment = await link(shop, item(await shop.product(5500)), billing=NEW_YORK)
    async with online(runtime) as site, visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await page.click(".more-methods > summary")
        await page.check("#method-klarna")
        assert not await page.is_visible("#number")
        await unfold_order(page)
        await page.click("#discounts summary")
        await page.fill("#code", "TEN")
        await page.press("#code", "Enter")
        await page.wait_for_selector(".due:has-text('$49.50')")
        await page.wait_for_selector("#method-klarna", state="detached")
        assert await page.is_checked("#method-card")
        assert await page.is_visible("#number") and await page.is_enabled("#number")
