"""A real browser pays by every kind of method at phone width, by keyboard alone, with scripts and without."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from harness import FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from orders import reload
from pages import browsing
from pages.browsing import online
from pages.paying import payment_for, payment_in

STEPS = 80
"""How often a test may press Tab before it gives up."""


@pytest_asyncio.fixture
async def site(runtime: Runtime) -> AsyncIterator[Runtime]:
    """A real server, and the runtime that it works with."""
    async with online(runtime) as runtime:
        yield runtime


def visiting(chromium: Browser, **options: Any) -> AbstractAsyncContextManager[Page]:
    """A page on a phone, which may be told that its form was refused."""
    return browsing.visiting(chromium, tolerated=["status of 422"], **options)


async def reach(page: Page, selector: str, *, key: str = "Tab") -> None:
    """Press Tab until something has the focus that is seen to have it."""
    for _ in range(STEPS):
        await page.keyboard.press(key)
        if await page.evaluate("selector => document.activeElement?.matches(selector) ?? false", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by {key}")


async def choose(page: Page, method: str) -> None:
    """Choose a way to pay by keyboard: into the radio buttons, and down until it is the chosen one."""
    folded = await page.query_selector(f".more-methods:not([open]) #method-{method}")
    if folded is not None:
        await reach(page, ".more-methods > summary")
        await page.keyboard.press("Enter")
        await reach(page, "input[name=method]", key="Shift+Tab")
    else:
        await reach(page, "input[name=method]")
    for _ in range(STEPS):
        if await page.is_checked(f"#method-{method}"):
            return
        await page.keyboard.press("ArrowDown")
    raise AssertionError(f"{method} cannot be chosen")


async def press(page: Page, label: str) -> None:
    """Reach a button or a link with this label by keyboard, and press it."""
    for _ in range(STEPS):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement?.textContent.trim()") == label:
            await page.keyboard.press("Enter")
            return
    raise AssertionError(f"{label!r} cannot be reached")


AWAY = [
    ("ideal", {}, "Continue to iDEAL"),
    ("apple_pay", {}, "Pay with Apple Pay"),
    ("klarna", {}, "Continue to Klarna"),
    ("crypto_currency", {}, "Continue to Stablecoins"),
    ("blik", {"blik_code": "123456"}, None),
    ("pix", {"tax_number": "1234567890"}, None),
    ("upi_collect", {}, "Show a QR code instead"),
]


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize(("method", "fields", "button"), AWAY)
async def test_a_method_that_leads_away_pays_by_keyboard(
    site: Runtime,
    tenant: Tenant,
    chromium: Browser,
    method: str,
    fields: dict[str, str],
    button: str | None,
    scripts: bool,
) -> None:
    payment = await payment_for(site, tenant, method)
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await choose(page, method)
        for name, text in fields.items():
            await reach(page, f"#{name}")
            await page.keyboard.type(text)
        if button is None:
            await page.keyboard.press("Enter")
        else:
            await press(page, button)
        await page.wait_for_url("**/simulator/**")
        if "/simulator/qr/" in page.url:
            assert await page.evaluate("document.querySelector('.qr svg').getBoundingClientRect().width") > 200
            await press(page, "Open it on this device instead")
            await page.wait_for_url("**/simulator/pay/*")
        await press(page, "Approve payment")
        await page.wait_for_selector("text=Payment received")
    paid = await reload(site, payment)
    assert (paid.status, paid.payment_method_type) == ("succeeded", method)


LATER = [
    ("sepa", {"iban": "DE89370400440532013000"}, "Your payment is on its way", 60),
    ("ach", {"routing": "110000000", "account": "000123456789"}, "Your payment is on its way", 60),
    ("upi_collect", {"upi_id": "success@upi"}, "Approve the payment in your UPI app", 60),
]


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize(("method", "fields", "heading", "seconds"), LATER)
async def test_a_method_that_ends_later_pays_by_keyboard(
    site: Runtime,
    tenant: Tenant,
    chromium: Browser,
    clock: FakeClock,
    method: str,
    fields: dict[str, str],
    heading: str,
    seconds: int,
    scripts: bool,
) -> None:
    payment = await payment_for(site, tenant, method)
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await choose(page, method)
        for name, text in fields.items():
            await reach(page, f"#{name}")
            await page.keyboard.type(text)
        await page.keyboard.press("Enter")
        await page.wait_for_selector(f"h1:has-text('{heading}')")
        assert (await reload(site, payment)).status == "processing"
        clock.advance(seconds=seconds)
        if method != "upi_collect":  # that page looks again by itself
            await page.reload()
        await page.wait_for_selector("text=Payment received")
    assert (await reload(site, payment)).status == "succeeded"


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_reference_is_paid_at_the_cash_machine_of_test_mode(
    site: Runtime, tenant: Tenant, chromium: Browser, scripts: bool
) -> None:
    payment = await payment_for(site, tenant, "multibanco")
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await choose(page, "multibanco")
        await press(page, "Get payment reference")
        await page.wait_for_selector("text=Pay with this reference")
        assert await page.is_visible("text=Print this page") == scripts
        await press(page, "Decide in test mode how it ends")
        await page.wait_for_url("**/simulator/pay/*")
        await press(page, "Payment arrives")
        await page.wait_for_selector("text=Payment received")
    assert (await reload(site, payment)).payment_method_type == "multibanco"


@pytest.mark.parametrize("scripts", [True, False])
async def test_after_a_failure_another_method_is_chosen_by_keyboard(
    site: Runtime, tenant: Tenant, chromium: Browser, clock: FakeClock, scripts: bool
) -> None:
    payment = await payment_for(site, tenant, "ideal")
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await choose(page, "ideal")
        await press(page, "Continue to iDEAL")
        await page.wait_for_url("**/simulator/pay/*")
        clock.advance(seconds=1)
        await press(page, "Fail payment")
        await page.wait_for_selector("#declined:focus")
        assert await page.is_checked("#method-ideal")
        await choose(page, "card")
        for name, text in {"number": "4242424242424242", "expiry": "0632", "cvc": "123", "name": "Ana Lima"}.items():
            await reach(page, f"#{name}")
            await page.keyboard.type(text)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("text=Payment received")
    paid = await reload(site, payment)
    assert (paid.status, paid.payment_method_type) == ("succeeded", "credit")


@pytest.mark.parametrize("scripts", [True, False])
async def test_an_error_takes_the_focus_and_leads_to_its_field(
    site: Runtime, tenant: Tenant, chromium: Browser, scripts: bool
) -> None:
    payment = await payment_for(site, tenant, "sepa")
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await choose(page, "sepa")
        await reach(page, "#iban")
        await page.keyboard.type("GB33BUKB20201555555555")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#errors:focus")
        await reach(page, "#errors a")
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "iban"
        assert await page.is_visible("#iban")
    assert await reload(site, payment) == payment


async def test_only_the_fields_of_the_chosen_method_are_sent(site: Runtime, tenant: Tenant, chromium: Browser) -> None:
    payment = await payment_for(site, tenant, "ideal")
    async with visiting(chromium) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await page.fill("#number", "4242424242424242")
        await choose(page, "ideal")
        async with page.expect_request(lambda request: request.method == "POST") as sent:
            await press(page, "Continue to iDEAL")
        body = parse_qs((await sent.value).post_data or "")
        assert sorted(body) == ["method", "token"]
        await page.wait_for_url("**/simulator/pay/*")
        await page.go_back()
        assert not await page.query_selector("#number")


async def test_a_scanned_code_leads_the_waiting_page_on(site: Runtime, tenant: Tenant, chromium: Browser) -> None:
    payment = await payment_for(site, tenant, "we_chat_pay")
    async with visiting(chromium) as page, visiting(chromium) as phone:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await choose(page, "we_chat_pay")
        await press(page, "Show QR code")
        await page.wait_for_url("**/simulator/qr/*")
        await phone.goto(page.url.replace("/qr/", "/pay/"))
        await press(phone, "Approve payment")
        await phone.wait_for_selector("text=Payment received")
        await page.wait_for_selector("text=Payment received")


@pytest.mark.parametrize("scripts", [True, False])
async def test_the_choice_shows_one_form_at_a_time_and_fits_a_phone(
    site: Runtime, tenant: Tenant, chromium: Browser, scripts: bool
) -> None:
    payment = await payment_in(site, tenant, "US", "USD")
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await page.click(".more-methods > summary")
        for method, fields in (("card", 4), ("ach", 2), ("klarna", 0)):
            await page.click(f"#method-{method}")
            assert await page.locator(".method-panel .field input:visible").count() == fields
            assert await page.locator(".method-panel .button:visible").count() == 1
            assert await page.evaluate("document.documentElement.scrollWidth") == 360
        heights = await page.eval_on_selector_all(
            ".method > input, .more-methods > summary", "all => all.map(e => e.getBoundingClientRect().height)"
        )
        assert len(heights) == 11 and min(heights) >= 44
