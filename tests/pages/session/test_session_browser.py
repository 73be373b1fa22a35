"""A real browser at a session's page: with scripts and without, by keyboard, on a phone, with a look of its own."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from starlette.types import ASGIApp

from api.sessions.opening import create_session
from harness import FakeClock, Merchant
from nicobar.flows.runtime import Runtime
from pages.axe import obstacles
from pages.browsing import online, visiting
from shop import EXAMPLE_RATES, Shop, item

REFUSED = "the server responded with a status of 4"

QUESTIONS: list[dict[str, Any]] = [
    {"key": "note", "label": "Note", "field_type": "text", "placeholder": "For the parcel"},
    {"key": "size", "label": "Size", "field_type": "dropdown", "options": ["Small", "Large"], "required": True},
    {"key": "day", "label": "Day", "field_type": "date"},
    {"key": "count", "label": "How many", "field_type": "number"},
    {"key": "terms", "label": "I accept the terms", "field_type": "boolean", "required": True},
]
MORE: list[dict[str, Any]] = [
    {"key": "mail", "label": "Second address", "field_type": "email"},
    {"key": "site", "label": "Site", "field_type": "url"},
]


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(tax="table", adaptive_pricing="on", adaptive_fees="none", seller_country="DE")
    return shop


@pytest_asyncio.fixture
async def site(runtime: Runtime) -> AsyncIterator[str]:
    """The address of a real server on the shop's database."""
    async with online(runtime) as runtime:
        yield runtime.public_url


async def address(shop: Shop, site: str, **fields: Any) -> str:
    created = await create_session(shop, item(await shop.product(10_000)), **fields)
    return f"{site}/session/{created['session_id']}"


async def fill(page: Page) -> None:
    for name, text in (
        ("email", "kim@example.com"),
        ("customer_name", "Kim Park"),
        ("street", "Torstr. 1"),
        ("zipcode", "10119"),
        ("city", "Berlin"),
    ):
        await page.fill(f"#{name}", text)


@pytest.mark.parametrize("scripts", [True, False])
async def test_from_the_session_to_the_receipt(shop: Shop, site: str, chromium: Browser, scripts: bool) -> None:
    url = await address(shop, site, custom_fields=QUESTIONS, cancel_url="https://shop.example.com/cart")
    async with visiting(chromium, java_script_enabled=scripts) as page:
        strangers: list[str] = []
        page.on("request", lambda sent: None if sent.url.startswith(site) else strangers.append(sent.url))
        await page.goto(url)
        await fill(page)
        await page.select_option("#custom_1", "Large")
        await page.fill("#custom_2", "2026-05-17")
        await page.fill("#custom_3", "12")
        await page.check("#custom_4")
        await page.focus("#city")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#number")
        for name, text in (("number", "4242424242424242"), ("expiry", "06/32"), ("cvc", "123"), ("name", "Kim Park")):
            await page.fill(f"#{name}", text)
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".receipt")
        await page.goto(url)
        await page.wait_for_selector(".receipt")
        assert strangers == []
    (payment,) = (await shop.read("/payments"))["items"]
    whole = await shop.read(f"/payments/{payment['payment_id']}")
    assert (whole["status"], whole["custom_field_responses"]) == (
        "succeeded",
        [
            {"key": "size", "value": "Large"},
            {"key": "day", "value": "2026-05-17"},
            {"key": "count", "value": "12"},
            {"key": "terms", "value": "true"},
        ],
    )


async def test_another_country_has_another_total_by_itself(shop: Shop, site: str, chromium: Browser) -> None:
    async with visiting(chromium) as page:
        await page.goto(await address(shop, site))
        assert "€109.48" in (await page.text_content(".due") or "")
        await page.fill("#email", "kim@example.com")
        await page.select_option("#country", "IN")
        await page.wait_for_selector(".due:has-text('₹9,817.60')")
        assert await page.input_value("#email") == "kim@example.com"
        await page.select_option("#currency", "GBP")
        await page.wait_for_selector(".due:has-text('£93.22')")


@pytest.mark.parametrize("scripts", [True, False])
async def test_another_language_keeps_what_was_typed(shop: Shop, site: str, chromium: Browser, scripts: bool) -> None:
    async with visiting(chromium, java_script_enabled=scripts) as page:
        await page.goto(await address(shop, site))
        await page.fill("#email", "kim@example.com")
        await page.fill("#customer_name", "Kim Park")
        for name, root in (("Deutsch", "html[lang=de]"), ("العربية", "html[dir=rtl]")):
            await page.click(".languages summary")
            await page.click(f".languages >> text={name}")
            await page.wait_for_selector(root)
            typed = [await page.input_value(f"#{field}") for field in ("email", "customer_name")]
            assert typed == ["kim@example.com", "Kim Park"]
        assert page.url.endswith("?lang=ar")


@pytest.mark.parametrize("questions", [QUESTIONS, MORE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_stands_in_the_way_of_anybody(
    shop: Shop, site: str, chromium: Browser, questions: list[dict[str, Any]], scheme: Any
) -> None:
    async with visiting(chromium, tolerated=[REFUSED], color_scheme=scheme) as page:
        await page.goto(await address(shop, site, custom_fields=questions, cancel_url="https://shop.example.com/"))
        assert await obstacles(page) == []
        wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert await page.evaluate(wide) is True
        await page.evaluate("document.querySelector('[data-session]').noValidate = true")
        await page.click("button.button[data-busy]")
        await page.wait_for_selector("#detail-errors")
        assert await obstacles(page) == []
        assert await page.evaluate("document.activeElement.id") == "detail-errors"
        await page.click("#detail-errors a >> nth=0")
        assert await page.evaluate("document.activeElement.id") == "email"


async def test_a_look_is_seen(shop: Shop, site: str, chromium: Browser) -> None:
    config = {"light": {"button_primary": "#ff0000"}, "dark": {"button_primary": "#0000ff"}, "radius": "3px"}
    for theme, scheme, colour in (
        ("system", "light", "rgb(255, 0, 0)"),
        ("system", "dark", "rgb(0, 0, 255)"),
        ("dark", "light", "rgb(0, 0, 255)"),
        ("light", "dark", "rgb(255, 0, 0)"),
    ):
        url = await address(shop, site, customization={"theme": theme, "theme_config": config})
        async with visiting(chromium, color_scheme=scheme) as page:
            await page.goto(url)
            style = "getComputedStyle(document.querySelector('button.button[data-busy]'))"
            assert await page.evaluate(f"{style}.backgroundColor") == colour
            assert await page.evaluate(f"{style}.borderTopLeftRadius") == "3px"


async def test_the_page_is_small(shop: Shop, site: str, chromium: Browser) -> None:
    async with visiting(chromium) as page:
        answers: list[Any] = []
        page.on("requestfinished", lambda request: answers.append(request))
        await page.goto(await address(shop, site, custom_fields=QUESTIONS), wait_until="networkidle")
        sizes = [(await request.sizes())["responseBodySize"] for request in answers]
        assert 0 < sum(sizes) < 50 * 1024, sizes


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("shown", [True, False])
async def test_the_order_is_folded_where_the_seller_wants_it(
    shop: Shop, site: str, chromium: Browser, width: int, shown: bool
) -> None:
    url = await address(shop, site, customization={"show_order_details": shown})
    async with visiting(chromium, viewport={"width": width, "height": 800}) as page:
        await page.goto(url)
        assert await page.locator(".line-name").is_visible() is shown
        await fill(page)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#number")
        assert await page.locator(".line-name").is_visible() is shown


@pytest.mark.parametrize(("scripts", "scheme"), [(True, "light"), (True, "dark"), (False, "light")])
async def test_a_single_page_is_filled_and_paid(
    shop: Shop, site: str, chromium: Browser, scripts: bool, scheme: Any
) -> None:
    url = await address(shop, site, feature_flags={"single_page": True}, billing_address={"country": "DE"})
    card = {"number": "5555555555554444", "expiry": "0632" if scripts else "06/32", "cvc": "12", "name": "Kim Park"}
    viewport: Any = {"width": 360, "height": 740}
    async with visiting(
        chromium, tolerated=[REFUSED], java_script_enabled=scripts, viewport=viewport, color_scheme=scheme
    ) as page:
        await page.goto(url)
        assert not scripts or await obstacles(page) == []
        told = {"email": "kim@example.com", "customer_name": "Kim Park", "zipcode": "10119"}
        for name, text in (told | card).items():
            await page.fill(f"#{name}", text)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#detail-errors")
        assert await page.inner_text("#detail-errors li") == "Check the security code: it has 3 or 4 digits."
        for name, text in (told | {"number": "", "cvc": "", "expiry": "06 / 32", "name": "Kim Park"}).items():
            assert await page.input_value(f"#{name}") == text
        if scripts:
            assert await obstacles(page) == []
            assert await page.evaluate("document.documentElement.scrollWidth") == 360
        await page.fill("#number", "5555 5555 5555 4444")
        await page.fill("#cvc", "123")
        await page.click("button.button:visible:has-text('Pay')")
        await page.wait_for_selector(".receipt")
        assert "Mastercard ending in 4444" in await page.inner_text(".receipt")
