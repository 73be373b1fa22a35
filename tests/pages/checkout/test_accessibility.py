"""The pages for everyone: axe-core finds nothing in any state, and keyboard, zoom, calm screens and paper all work."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeAlias

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request

from harness import FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from orders import line, reload
from pages.axe import obstacles
from pages.browsing import WAIT, online
from pages.states import (
    STATES,
    Site,
    Visit,
    declined,
    inline,
    mistaken,
    overlay,
    overlay_receipt,
    pictured_overlay,
    processing,
    receipt,
)

MOST_BYTES = 50 * 1024
"""What a page may weigh with everything it loads."""

ALONE = [state for state in STATES if state not in (overlay, overlay_receipt, pictured_overlay, inline)]
"""The states outside a frame, which is as wide as the seller makes it."""


@asynccontextmanager
async def opened(chromium: Browser, locale: str) -> AsyncIterator[Page]:
    context = await chromium.new_context(viewport={"width": 1280, "height": 900}, locale=locale)
    context.set_default_timeout(WAIT)
    yield await context.new_page()
    await context.close()


@pytest_asyncio.fixture(scope="module")
async def page(chromium: Browser) -> AsyncIterator[Page]:
    """One page for all tests of this file."""
    async with opened(chromium, "en-US") as page:
        yield page


@pytest_asyncio.fixture(scope="module")
async def arabic_page(chromium: Browser) -> AsyncIterator[Page]:
    """A page of somebody who reads from right to left."""
    async with opened(chromium, "ar") as page:
        yield page


@pytest_asyncio.fixture
async def site(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> AsyncIterator[Site]:
    headers = {"accept": "text/html", "accept-language": "en-US"}
    async with (
        online(runtime) as runtime,
        httpx.AsyncClient(base_url=runtime.public_url, headers=headers) as client,
    ):
        yield Site(runtime, tenant, clock, client)


Scheme: TypeAlias = Literal["light", "dark"]


@pytest.mark.parametrize("state", STATES, ids=[state.__name__ for state in STATES])
async def test_axe_finds_nothing(site: Site, page: Page, arabic_page: Page, state: Visit) -> None:
    found: dict[str, list[str]] = {}
    looks: dict[str, tuple[Page, Scheme]] = {
        "light": (page, "light"),
        "dark, from right to left": (arabic_page, "dark"),
    }
    for look, (visitor, scheme) in looks.items():
        await visitor.emulate_media(color_scheme=scheme)
        await state(site, visitor)
        direction = await visitor.frames[-1].evaluate("document.documentElement.dir")
        assert direction == ("rtl" if visitor is arabic_page else "ltr")
        found[look] = [line for place_of in visitor.frames for line in await obstacles(place_of)]
    assert found == {"light": [], "dark, from right to left": []}


# --- by keyboard alone -----------------------------------------------------------------------------------------------


async def focus(page: Page) -> dict[str, Any]:
    """Describe the element with the focus: its id or its text, and whether the focus can be seen and is not covered."""
    found: dict[str, Any] = await page.evaluate(
        """() => {
            const element = document.activeElement;
            const box = element.getBoundingClientRect();
            const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
            const ring = (e) => getComputedStyle(e);
            const ringed = (e) => ring(e).outlineStyle !== "none" && parseFloat(ring(e).outlineWidth) >= 2;
            const row = element.type === "radio" ? [element.parentElement, element.nextElementSibling] : [];
            return {
                name: element.id || element.textContent.trim().slice(0, 40),
                seen: [element, ...row].some(ringed),
                clear: element === top || element.contains(top) || top?.contains(element),
            };
        }"""
    )
    return found


async def test_a_payment_by_keyboard_alone(site: Site, page: Page) -> None:
    """From the address bar to the receipt, with every stop in the order of the page, each of them to be seen."""
    payment = await site.place(options={"return_url": "https://shop.example/thanks"})
    await page.goto(site.url(payment))
    stops: list[str] = []
    values = {"number": "4242424242424242", "expiry": "0632", "cvc": "123", "name": "Ana Lima"}
    for _ in range(40):
        await page.keyboard.press("Tab")
        here = await focus(page)
        assert here["seen"], here
        assert here["clear"], here
        stops.append(here["name"])
        if here["name"] in values:
            await page.keyboard.type(values[here["name"]])
        if here["name"] == "Pay $24.00":
            await page.keyboard.press("Enter")
            break
    await page.wait_for_selector(".receipt")
    assert (await reload(site.runtime, payment)).status == "succeeded"
    assert stops[:2] == ["Skip to payment", "Test panel"]
    assert [stop for stop in stops if stop in values] == list(values)
    assert stops[-1] == "Pay $24.00"
    assert len(set(stops)) == len(stops)
    for expected in ("Return to Dodo Records", "Stay on this page"):
        await page.keyboard.press("Tab")
        here = await focus(page)
        assert (here["name"], here["seen"]) == (expected, True)
    await page.keyboard.press("Enter")
    assert (await focus(page))["name"] == "Return to Dodo Records"
    assert await page.locator(".soon").count() == 0


async def test_the_skip_link_leads_past_the_order(site: Site, page: Page) -> None:
    lines = [line(number, 100, 0, 0) for number in range(12)]
    await page.goto(site.url(await site.place(lines=lines)))
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.querySelector('#pay').contains(document.activeElement)")


@pytest.mark.parametrize("state", [mistaken, declined], ids=lambda state: state.__name__)
async def test_the_focus_goes_to_what_went_wrong(site: Site, page: Page, state: Visit) -> None:
    await state(site, page)
    assert await page.evaluate("document.activeElement.getAttribute('role')") == "alert"
    if state is mistaken:
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "number"
        described = await page.get_attribute("#number", "aria-describedby")
        assert described is not None
        assert await page.inner_text(f"#{described.split()[0]}") == "Check the card number: it has 12 to 19 digits."


# --- size, motion, paper ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES, ids=[state.__name__ for state in STATES])
async def test_a_small_phone_shows_everything_and_loads_little(site: Site, page: Page, state: Visit) -> None:
    """320 pixels are also what 400 % of zoom leaves of 1280. What is loaded counts as it travels, with every page on
    the way into the state."""
    asked: list[Request] = []
    page.on("request", remember := lambda request: asked.append(request))
    await page.set_viewport_size({"width": 320, "height": 640})
    await page.emulate_media(reduced_motion="reduce")  # a moving bar is clipped by its box, which is not seen here
    try:
        await state(site, page)
        await page.wait_for_load_state("networkidle")
        sizes = [await request.sizes() for request in asked if await request.response() is not None]
        assert 0 < sum(size["responseBodySize"] for size in sizes) <= MOST_BYTES
        assert [request.url for request in asked if not request.url.startswith(f"{site.runtime.public_url}/")] == []
        if state not in ALONE:
            return
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        cut = await page.evaluate(
            """() => [...document.querySelectorAll("body *")]
                .filter((e) => e.checkVisibility({ visibilityProperty: true }))
                .filter((e) => !e.closest("svg, .visually-hidden, .skip"))
                .filter((e) => e.getBoundingClientRect().right > 320.5 || e.getBoundingClientRect().left < -0.5)
                .map((e) => e.outerHTML.slice(0, 120))"""
        )
        assert cut == []
        small = await page.eval_on_selector_all(
            "a[href], button, input:not([type=hidden]), select, summary",
            """(all) => all.filter((e) => e.checkVisibility() && !e.closest(".skip, p:not(.back):not(.print)"))
                .filter((e) => (e.closest("label") ?? e).getBoundingClientRect().height < 24)
                .map((e) => e.outerHTML.slice(0, 120))""",
        )
        assert small == []
    finally:
        page.remove_listener("request", remember)
        await page.set_viewport_size({"width": 1280, "height": 900})


async def test_text_grows_to_twice_its_size(site: Site, page: Page) -> None:
    """As by the setting of a browser or a phone for larger text, which leaves the width as it is."""
    await page.set_viewport_size({"width": 640, "height": 900})
    try:
        await page.goto(site.url(await site.place()))
        await page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 640
    finally:
        await page.set_viewport_size({"width": 1280, "height": 900})


async def test_nothing_moves_for_those_who_do_not_want_it(site: Site, page: Page) -> None:
    moving = "document.getAnimations().filter((animation) => animation.playState === 'running').length"
    await page.emulate_media(reduced_motion="no-preference")
    await processing(site, page)
    assert await page.evaluate(moving) == 1
    await page.emulate_media(reduced_motion="reduce")
    await processing(site, page)
    assert await page.evaluate(moving) == 0
    await page.emulate_media(reduced_motion="no-preference")


async def test_the_receipt_on_paper(site: Site, page: Page) -> None:
    await page.emulate_media(media="print", color_scheme="dark")
    try:
        await receipt(site, page)
        colours = await page.eval_on_selector(
            "h1", "(e) => [getComputedStyle(e).color, getComputedStyle(e.parentNode).backgroundColor]"
        )
        assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
        for word in ("Payment received", "Solo Flight", "$24.00", "Visa ending in 4242", site.last.payment_id):
            assert word in await page.inner_text("main")
        for word in ("Return to", "You will be taken back", "Print receipt", "Stay on this page"):
            assert not await page.locator(f"main :text('{word}')").first.is_visible(), word
    finally:
        await page.emulate_media(media="screen", color_scheme="light")
