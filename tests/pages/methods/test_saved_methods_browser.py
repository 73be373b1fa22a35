"""A real browser at a phone's width: saving a card, coming back with a proof, and paying with it by keyboard alone."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.buyer import Buyer
from nicobar.core.payments.payment import Payment
from nicobar.flows.customers.prove_customer import prove_customer
from nicobar.flows.runtime import Runtime
from orders import order, place, reload
from pages.browsing import online, visiting

ANA = Buyer("cus_ana", "ana.lima@example.com", "Ana Lima", None, {})


@pytest_asyncio.fixture
async def site(runtime: Runtime) -> AsyncIterator[Runtime]:
    """A real server, and the runtime that it works with."""
    async with online(runtime) as runtime:
        yield runtime


async def link(site: Runtime, tenant: Tenant) -> Payment:
    return await place(site, order(site, tenant, customer=ANA, options={"show_saved_payment_methods": True}))


async def focused(page: Page) -> str:
    """Return the name and value of the element with the focus."""
    return str(await page.evaluate("`${document.activeElement.name}=${document.activeElement.value}`"))


async def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until the element has the focus, as somebody without a mouse does."""
    for _ in range(30):
        await page.keyboard.press("Tab")
        if (await focused(page)).startswith(wanted):
            return
    raise AssertionError(f"{wanted} cannot be reached by keyboard")


async def save_card(page: Page, site: Runtime, tenant: Tenant, number: str) -> str:
    """Pay a link with a card, tick the box by keyboard, and return the id of the saved method."""
    payment = await link(site, tenant)
    await page.goto(f"{site.public_url}/{payment.link_id}")
    await tab_to(page, "number=")
    for text in (number, "0632", "123", "Ana Lima"):
        await page.keyboard.type(text)
        await page.keyboard.press("Tab")
    assert await focused(page) == "save=yes"
    assert not await page.is_checked("#save")
    await page.keyboard.press("Space")
    assert await page.is_checked("#save")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".receipt")
    method_id = (await reload(site, payment)).payment_method_id
    assert method_id is not None
    return method_id


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_card_is_saved_and_pays_the_next_order(
    site: Runtime, tenant: Tenant, chromium: Browser, scripts: bool
) -> None:
    async with visiting(chromium, java_script_enabled=scripts) as page:
        visa = await save_card(page, site, tenant, "4242424242424242")
        mastercard = await save_card(page, site, tenant, "5555555555554444")
        payment = await link(site, tenant)
        clean = f"{site.public_url}/{payment.link_id}"
        await page.goto(f"{clean}?proof={(await prove_customer(site, tenant, ANA.customer_id)).proof}")
        assert page.url == clean
        assert await page.evaluate("document.cookie") == ""
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        await tab_to(page, "saved=")
        chosen = {visa, mastercard} - {(await focused(page)).removeprefix("saved=")}
        await page.keyboard.press("ArrowDown")
        assert await focused(page) == f"saved={chosen.copy().pop()}"
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".receipt")
    paid = await reload(site, payment)
    assert (paid.status, paid.payment_method_id) == ("succeeded", chosen.pop())


@pytest.mark.parametrize("scripts", [True, False])
async def test_another_way_to_pay_is_one_step_away(
    site: Runtime, tenant: Tenant, chromium: Browser, scripts: bool
) -> None:
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await save_card(page, site, tenant, "4242424242424242")
        payment = await link(site, tenant)
        proof = (await prove_customer(site, tenant, ANA.customer_id)).proof
        await page.goto(f"{site.public_url}/{payment.link_id}?proof={proof}")
        assert not await page.is_visible("#number")
        for _ in range(30):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.matches('details.other > summary')"):
                break
        await page.keyboard.press("Enter")
        assert await page.is_visible("#number")
        await tab_to(page, "number=")
        for text in ("5555555555554444", "0632", "123", "Ana Lima"):
            await page.keyboard.type(text)
            await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".receipt")
    paid = await reload(site, payment)
    assert paid.card is not None
    assert (paid.status, paid.card.last_four, paid.payment_method_id) == ("succeeded", "4444", None)


async def test_every_target_is_large_enough_for_a_finger(site: Runtime, tenant: Tenant, chromium: Browser) -> None:
    async with visiting(chromium) as page:
        await save_card(page, site, tenant, "4242424242424242")
        payment = await link(site, tenant)
        proof = (await prove_customer(site, tenant, ANA.customer_id)).proof
        await page.goto(f"{site.public_url}/{payment.link_id}?proof={proof}")
        heights = await page.eval_on_selector_all(
            ".pick, .saved .button, .other > summary", "all => all.map(e => e.getBoundingClientRect().height)"
        )
        assert len(heights) == 3
        assert min(heights) >= 44
