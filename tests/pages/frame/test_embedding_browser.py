"""The official checkout script, in a browser, with our page in its frame: how far it goes."""

from typing import Any

import pytest
from playwright.async_api import Browser
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from orders import line, order, place, reload
from pages.changing import link
from pages.frames import SHOP, allow
from pages.official_script import OPENING, Shop, fill_and_pay, heard, open_checkout, shopping
from shop import Shop as Seller


@pytest.mark.parametrize("kind", ["overlay", "inline"])
async def test_the_official_script_pays_in_a_frame_and_leads_to_the_shop(
    hosted: Runtime, tenant: Tenant, shop: Shop, mapped: Browser, kind: str
) -> None:
    target = f"{shop.origin}/thanks"
    options = {"return_url": target, "redirect_immediately": True}
    payment = await place(hosted, order(hosted, tenant, options=options))
    async with shopping(mapped, shop) as page:
        frame = await open_checkout(page, hosted, payment.link_id, kind, payButtonText="Buy now")
        assert await heard(page, "payment_page_opened") == OPENING
        assert await frame.locator("[data-pay] button[type=submit]:visible").first.inner_text() == "Buy now"
        await fill_and_pay(frame)
        await page.wait_for_url(f"{target}?*")
        (query,) = shop.thanked
        assert query == {"payment_id": payment.payment_id, "status": "succeeded", "email": "ana.lima@example.com"}
        redirect = ("redirect", {"redirect_to": page.url})
        assert await heard(page, "redirect") == [*OPENING, "pay_button_clicked", redirect]
    assert (await reload(hosted, payment)).status == "succeeded"


async def test_a_decline_and_a_bank_stay_in_the_frame(
    hosted: Runtime, tenant: Tenant, shop: Shop, mapped: Browser, clock: FakeClock
) -> None:
    payment = await place(hosted, order(hosted, tenant, options={"return_url": f"{shop.origin}/thanks"}))
    clock.advance(seconds=1)
    async with shopping(mapped, shop) as page:
        frame = await open_checkout(page, hosted, payment.link_id, "overlay", manualRedirect=True)
        await heard(page, "payment_page_opened")
        await fill_and_pay(frame, "4000000000000002")
        failed: list[tuple[str, object]] = [("error", "The payment was declined. Please use another payment method.")]
        failed += [("status", {"status": "failed"})]
        first = [*OPENING, "pay_button_clicked", "breakdown"]
        assert [event for event in await heard(page, "status") if event[0] != "error"] == [*first, failed[1]]
        await fill_and_pay(frame, "4000002500003155")
        await frame.locator("text=Confirm payment").last.click()
        events = await heard(page, "redirect_requested")
        assert events[-3:-1] == ["pay_button_clicked", ("status", {"status": "succeeded"})]
        assert events[-1][1]["redirect_to"].startswith(f"{shop.origin}/thanks?payment_id=")
        assert await frame.locator("h1").inner_text() == "Payment received"
        await frame.locator(f"a[href^='{shop.origin}']").click()
        assert (await heard(page, "redirect_requested", times=2))[-2:] == [events[-1], events[-1]]
        assert page.url == f"{shop.origin}/"
    assert shop.thanked == []


async def test_details_that_are_asked_for_come_first(
    hosted: Runtime, app: ASGIApp, merchant: Merchant, shop: Shop, mapped: Browser, clock: FakeClock
) -> None:
    """A change that the script makes without a new page is told like any other."""
    await allow(hosted, merchant.tenant, shop.origin)
    payment = await link(Seller(hosted, app, clock, merchant), billing={"country": "US"})
    async with shopping(mapped, shop) as page:
        frame = await open_checkout(page, hosted, payment.link_id, "inline")
        events: list[Any] = [*OPENING[:3], "breakdown"]
        await heard(page, "breakdown")
        await frame.locator("#country").select_option("DE")
        twice = "(e) => e.event_type === 'checkout.breakdown'"
        await page.wait_for_function(f"JSON.parse(sessionStorage.events).filter({twice}).length === 2")
        assert await heard(page, "breakdown") == events
        for field, value in {"street": "Allee 1", "city": "Berlin", "zipcode": "10115"}.items():
            await frame.locator(f"#{field}").fill(value)
        await frame.locator(".details-form > button[type=submit]").click()
        events += ["customer_details_submitted", "breakdown", "payment_page_opened"]
        assert await heard(page, "payment_page_opened") == events
        await fill_and_pay(frame)
        assert (await heard(page, "pay_button_clicked")) == [*events, "pay_button_clicked"]
        await frame.locator(".receipt").wait_for()


@pytest.mark.parametrize("way", ["button", "key"])
async def test_the_overlay_closes(hosted: Runtime, tenant: Tenant, shop: Shop, mapped: Browser, way: str) -> None:
    payment = await place(hosted, order(hosted, tenant))
    async with shopping(mapped, shop) as page:
        frame = await open_checkout(page, hosted, payment.link_id, "overlay")
        await heard(page, "payment_page_opened")
        if way == "button":
            await frame.get_by_role("button", name="Close payment").click()
        else:
            await frame.locator("#number").press("Escape")
        assert await heard(page, "closed") == [*OPENING, "closed"]
        await page.wait_for_selector("#dodo-checkout-iframe", state="detached")
    assert await reload(hosted, payment) == payment


async def test_the_overlay_closes_in_another_language(
    hosted: Runtime, tenant: Tenant, shop: Shop, mapped: Browser
) -> None:
    """What was typed stays, and the script of the frame goes on with the page."""
    payment = await place(hosted, order(hosted, tenant))
    async with shopping(mapped, shop) as page:
        frame = await open_checkout(page, hosted, payment.link_id, "overlay")
        await heard(page, "payment_page_opened")
        await frame.locator("#number").fill("4242")
        await frame.locator(".languages summary").click()
        await frame.locator(".languages >> text=Deutsch").click()
        await frame.locator("html[lang=de]").wait_for()
        assert await frame.locator("#number").input_value() == "4242"
        assert await frame.locator("main").count() == await frame.locator("footer").count() == 1
        await frame.get_by_role("button", name="Zahlung schließen").click()
        assert await heard(page, "closed") == [*OPENING, "closed"]


async def test_the_inline_frame_is_as_high_as_its_page(
    hosted: Runtime, tenant: Tenant, shop: Shop, mapped: Browser
) -> None:
    payment = await place(hosted, order(hosted, tenant, [line(number, 100, 0, 0) for number in range(12)]))
    async with shopping(mapped, shop) as page:
        frame = await open_checkout(page, hosted, payment.link_id, "inline")
        await heard(page, "payment_page_opened")
        box = "(e) => [e.scrollHeight, e.ownerDocument.defaultView.innerHeight]"

        async def fits(least: int) -> int:
            for _ in range(100):
                content, height = await frame.locator("body").evaluate(box)
                if abs(content - height) <= 1 and height >= least:
                    return int(height)
                await page.evaluate("() => new Promise(requestAnimationFrame)")
            raise AssertionError(f"the page has {content} px, the frame {height}")

        folded = await fits(500)
        await frame.locator("summary").first.click()
        assert await fits(folded + 200) > folded
        assert await frame.locator("[data-close]").count() == 0


async def test_a_shop_that_is_not_allowed_shows_nothing(
    hosted: Runtime, tenant: Tenant, shop: Shop, mapped: Browser, clock: FakeClock
) -> None:
    await allow(hosted, tenant, SHOP)
    clock.advance(seconds=5)
    payment = await place(hosted, order(hosted, tenant))
    with pytest.raises(AssertionError, match="frame-ancestors"):
        async with shopping(mapped, shop) as page:
            frame = await open_checkout(page, hosted, payment.link_id, "overlay")
            await page.wait_for_event("console", lambda message: "frame-ancestors" in message.text)
            assert await frame.locator("#number").count() == 0
            assert await page.evaluate("sessionStorage.events") == "[]"
