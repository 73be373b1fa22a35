"""The official checkout script, in a browser, with sessions in its frame: each event, from the questions to the end."""

import json
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from starlette.types import ASGIApp

from api.sessions.opening import create_session
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from pages.frames import allow
from pages.official_script import OPENING, Shop, fill_and_pay, heard, open_checkout, shopping
from shop import Shop as Seller
from shop import item

TYPED = {"email": "kim@example.com", "customer_name": "Kim Park", "street": "Allee 1", "zipcode": "10115"}


@pytest_asyncio.fixture
async def seller(hosted: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant, shop: Shop) -> Seller:
    """The API of the shop whose page the script is on."""
    await allow(hosted, merchant.tenant, shop.origin)
    return Seller(hosted, app, clock, merchant)


async def session_of(seller: Seller, shop: Shop, **fields: Any) -> str:
    """Create a session for one thing of 20 dollars; return its path."""
    cart = item(await seller.product(2000))
    created = await create_session(seller, cart, return_url=f"{shop.origin}/thanks", **fields)
    return f"session/{created['session_id']}"


async def breakdowns(page: Page) -> list[int]:
    """Return the totals that the shop's page has heard of."""
    events = json.loads(await page.evaluate("sessionStorage.events"))
    told = [event["data"]["message"] for event in events if event["event_type"] == "checkout.breakdown"]
    assert {(sums["currency"], sums["finalTotal"] - sums["total"]) for sums in told} == {("USD", 0)}
    return [sums["total"] for sums in told]


@pytest.mark.parametrize("kind", ["overlay", "inline"])
async def test_a_session_asks_and_is_paid_in_the_frame(
    hosted: Runtime, seller: Seller, shop: Shop, mapped: Browser, kind: str
) -> None:
    await seller.percentage("TENOFF", 1000)
    path = await session_of(seller, shop, billing_address={"country": "DE"})
    async with shopping(mapped, shop) as page:
        frame = await open_checkout(page, hosted, path, kind, payButtonText="Buy now")
        assert await heard(page, "breakdown") == OPENING[:3]
        # A code makes another price, and is no end of the details.
        await frame.locator("details.fold:has(#code) > summary").click()
        await frame.locator("#code").fill("TENOFF")
        await frame.locator("button[name=apply]").click()
        await frame.locator(".code-name").wait_for()
        assert await heard(page, "breakdown", times=2) == [*OPENING[:3], "breakdown"]
        for field, text in (TYPED | {"city": "Berlin"}).items():
            await frame.locator(f"#{field}").fill(text)
        await frame.locator("button[data-busy]").click()
        events = [*OPENING[:3], "breakdown", "customer_details_submitted", "breakdown", "payment_page_opened"]
        assert await heard(page, "payment_page_opened") == events
        assert await breakdowns(page) == [2000, 1800, 1800]
        assert await frame.locator("[data-pay] button[type=submit]:visible").first.inner_text() == "Buy now"
        await fill_and_pay(frame)
        await page.wait_for_url(f"{shop.origin}/thanks?*")
        redirect = ("redirect", {"redirect_to": page.url})
        assert await heard(page, "redirect") == [*events, "pay_button_clicked", redirect]
    status = await seller.read(f"/checkouts/{path.removeprefix('session/')}")
    assert shop.thanked == [{"payment_id": status["payment_id"], "status": "succeeded", "email": "kim@example.com"}]
    assert (status["payment_status"], status["customer_email"]) == ("succeeded", "kim@example.com")


async def test_a_decline_of_a_session_and_its_status_are_told(
    hosted: Runtime, seller: Seller, shop: Shop, mapped: Browser
) -> None:
    customer = {"email": "ana.lima@example.com", "name": "Ana Lima"}
    path = await session_of(seller, shop, customer=customer, billing_address={"country": "DE"}, minimal_address=True)
    async with shopping(mapped, shop) as page:
        frame = await open_checkout(page, hosted, path, "overlay", manualRedirect=True)
        await heard(page, "breakdown")
        await frame.locator("#zipcode").fill("10115")
        await frame.locator("button[data-busy]").click()
        events: list[Any] = [*OPENING[:3], "customer_details_submitted", "breakdown", "payment_page_opened"]
        assert await heard(page, "payment_page_opened") == events
        await fill_and_pay(frame, "4000000000000002")
        declined = ("error", "The payment was declined. Please use another payment method.")
        failed = ("status", {"status": "failed"})
        events += ["pay_button_clicked", "breakdown", declined, failed]
        assert await heard(page, "status") == events
        await fill_and_pay(frame)
        told = await heard(page, "redirect_requested")
        assert told[:-1] == [*events, "pay_button_clicked", ("status", {"status": "succeeded"})]
        assert told[-1][1]["redirect_to"].startswith(f"{shop.origin}/thanks?payment_id=")
        assert page.url == f"{shop.origin}/"
    async with shopping(mapped, shop) as page:  # whoever opens a session that is paid sees so
        frame = await open_checkout(page, hosted, path, "inline")
        await heard(page, "opened")
        assert await frame.locator("h1").inner_text() == "Payment received"
    assert shop.thanked == []


@pytest.mark.parametrize("kind", ["overlay", "inline"])
async def test_a_session_that_is_over_tells_so(
    hosted: Runtime, seller: Seller, shop: Shop, mapped: Browser, clock: FakeClock, kind: str
) -> None:
    path = await session_of(seller, shop)
    clock.advance(seconds=24 * 3600)
    async with shopping(mapped, shop, "status of 410") as page:
        frame = await open_checkout(page, hosted, path, kind)
        assert await heard(page, "link_expired") == ["opened", "link_expired"]
        await frame.locator("h1").wait_for()
        if kind == "overlay":
            await frame.get_by_role("button", name="Close payment").click()
            assert await heard(page, "closed") == ["opened", "link_expired", "closed"]
            await page.wait_for_selector("#dodo-checkout-iframe", state="detached")
    assert (await seller.read("/payments"))["items"] == []


@pytest.mark.parametrize("kind", ["overlay", "inline"])
async def test_a_static_link_opens_a_session_in_the_frame(
    hosted: Runtime, seller: Seller, shop: Shop, mapped: Browser, kind: str
) -> None:
    product_id = await seller.product(2000)
    async with shopping(mapped, shop) as page:
        await page.evaluate(
            """([productId, kind]) => {
                const events = [];
                const onEvent = (event) => { events.push(event); sessionStorage.events = JSON.stringify(events); };
                sessionStorage.events = "[]";
                const { DodoPayments } = DodoPaymentsCheckout;
                const config = { mode: "test", displayType: kind, linkType: "static", theme: "dark" };
                DodoPayments.Initialize({ ...config, onEvent });
                const elementId = kind === "inline" ? "here" : undefined;
                const products = [{ productId, quantity: 3 }];
                DodoPayments.Checkout.open({ products, elementId, redirectUrl: `${location.origin}/thanks` });
            }""",
            [product_id, kind],
        )
        frame = page.frame_locator("#dodo-checkout-iframe")
        assert await heard(page, "breakdown") == OPENING[:3]
        assert await breakdowns(page) == [6000]
        assert await frame.locator("meta[name=color-scheme]").get_attribute("content") == "dark"
