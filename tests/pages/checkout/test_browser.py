"""A real browser pays on the hosted page, with scripts and without, and arrives at the merchant."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.three_ds import ThreeDs
from nicobar.flows.runtime import Runtime
from orders import attempts_of, order, place, reload
from pages.arriving import Merchant, receiving
from pages.browsing import online, visiting


@pytest_asyncio.fixture
async def site(runtime: Runtime) -> AsyncIterator[Runtime]:
    """A real server, and the runtime that it works with."""
    async with online(runtime) as runtime:
        yield runtime


@pytest_asyncio.fixture
async def merchant() -> AsyncIterator[Merchant]:
    async with receiving() as shop:
        yield shop


CHALLENGE, FRICTIONLESS = "4000002500003155", "4000000000003055"


async def fill(page: Page, number: str) -> None:
    """Fill the form by keyboard alone, from wherever the focus is, field after field."""
    for _ in range(40):
        if await page.evaluate("document.activeElement?.id") == "number":
            break
        await page.keyboard.press("Tab")
    else:
        raise AssertionError("the card number cannot be reached")
    for text in (number, "0632", "123", "Ana Lima"):
        await page.keyboard.type(text)
        await page.keyboard.press("Tab")


async def press(page: Page, label: str) -> None:
    """Reach a button or a link with this label by keyboard, and press it."""
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement?.textContent.trim()") == label:
            await page.keyboard.press("Enter")
            return
    raise AssertionError(f"{label!r} cannot be reached")


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_card_pays_and_leads_back_to_the_merchant(
    site: Runtime, tenant: Tenant, merchant: Merchant, chromium: Browser, scripts: bool
) -> None:
    options = {"return_url": f"{merchant.url}?order=17", "redirect_immediately": True}
    payment = await place(site, order(site, tenant, options=options))
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await fill(page, "4242424242424242")
        typed = "4242 4242 4242 4242" if scripts else "4242424242424242"
        assert await page.input_value("#number") == typed
        await page.keyboard.press("Enter")
        await page.wait_for_url("http://localhost:*/thanks")
        assert await page.inner_text("h1") == "Thank you"
    assert merchant.arrivals == [
        {"order": "17", "payment_id": payment.payment_id, "status": "succeeded", "email": "ana.lima@example.com"}
    ]
    assert (await reload(site, payment)).status == "succeeded"


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_decline_is_announced_and_another_card_pays(
    site: Runtime, tenant: Tenant, merchant: Merchant, chromium: Browser, scripts: bool
) -> None:
    payment = await place(site, order(site, tenant, options={"return_url": merchant.url}))
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await fill(page, "4000000000009995")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#declined:focus" if scripts else "#declined")
        assert "There is not enough money available" in await page.inner_text("#declined")
        await fill(page, "4242424242424242")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".receipt")
        assert await page.inner_text("h1") == "Payment received"
        if not scripts:  # with them the page of the form is not left, and has no place of its own to go back to
            await page.go_back()
            await page.wait_for_selector(".receipt")
        await page.click("text=Return to Dodo Records")
        await page.wait_for_url("http://localhost:*/thanks")
    assert [arrival["status"] for arrival in merchant.arrivals] == ["succeeded"]


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize(("answer", "status"), [("Confirm payment", "succeeded"), ("Do not confirm", "failed")])
async def test_a_challenge_goes_through_the_bank_and_back_by_keyboard(
    site: Runtime, tenant: Tenant, merchant: Merchant, chromium: Browser, answer: str, status: str, scripts: bool
) -> None:
    options = {"return_url": merchant.url, "redirect_immediately": True}
    payment = await place(site, order(site, tenant, options=options))
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await fill(page, CHALLENGE)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/simulator/challenge/sim_*")
        await press(page, answer)
        if status == "succeeded":
            await page.wait_for_url("http://localhost:*/thanks")
        else:
            await page.wait_for_selector("#declined")
    assert (await reload(site, payment)).status == status
    assert len(merchant.arrivals) == (1 if status == "succeeded" else 0)


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_challenge_that_was_left_is_found_again_by_keyboard(
    site: Runtime, tenant: Tenant, chromium: Browser, scripts: bool
) -> None:
    """As by the back button, which shows the form of before, or by closing the bank's page."""
    payment = await place(site, order(site, tenant))
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await fill(page, CHALLENGE)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/simulator/challenge/sim_*")
        await page.go_back()
        await press(page, "Continue to your bank")
        await page.wait_for_url("**/simulator/challenge/sim_*")
        await press(page, "Confirm payment")
        await page.wait_for_selector(".receipt")
    assert (await reload(site, payment)).status == "succeeded"
    assert len(await attempts_of(site, payment)) == 1


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_card_that_its_bank_knows_pays_without_a_challenge(
    site: Runtime, tenant: Tenant, chromium: Browser, scripts: bool
) -> None:
    payment = await place(site, order(site, tenant))
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        await fill(page, FRICTIONLESS)
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".receipt")
    paid = await reload(site, payment)
    assert paid.three_ds == ThreeDs("frictionless", "authenticated", "2.2.0")


@pytest.mark.parametrize("scripts", [True, False])
async def test_two_tabs_the_back_button_and_a_reload_pay_once(
    site: Runtime, tenant: Tenant, chromium: Browser, scripts: bool
) -> None:
    payment = await place(site, order(site, tenant))
    url = f"{site.public_url}/{payment.link_id}"
    async with visiting(chromium, java_script_enabled=scripts) as page:
        other = await page.context.new_page()
        for tab in (page, other):
            await tab.goto(url)
            await fill(tab, "4242424242424242")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".receipt")
        await other.keyboard.press("Enter")
        await other.wait_for_selector(".receipt")
        if not scripts:  # with them the page of the form is not left, and has no place of its own to go back to
            await page.go_back()
            await page.wait_for_selector(".receipt")
        await page.reload()
        await page.wait_for_selector(".receipt")
    assert len(await attempts_of(site, payment)) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_fits_a_phone_and_fingers(site: Runtime, tenant: Tenant, chromium: Browser, scheme: str) -> None:
    payment = await place(site, order(site, tenant))
    async with visiting(chromium, color_scheme=scheme) as page:
        await page.goto(f"{site.public_url}/{payment.link_id}")
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        sizes = await page.eval_on_selector_all(
            "main input:not([type=hidden], [type=radio], [type=checkbox]), main form button",
            """all => all.filter(e => e.checkVisibility() && e.getBoundingClientRect().height > 1).map(
                e => [e.getBoundingClientRect().height, parseFloat(getComputedStyle(e).fontSize)])""",
        )
        assert len(sizes) == 5  # number, expiry, security code, name, the button
        assert all(height >= 44 and letters >= 16 for height, letters in sizes)
        background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == {"light": "rgb(243, 246, 245)", "dark": "rgb(12, 17, 16)"}[scheme]
