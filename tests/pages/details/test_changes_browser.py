"""A real browser changes country, discount code and tax id, with scripts and without, and pays what it sees."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.core.payments.payment import Payment
from nicobar.flows.runtime import Runtime
from orders import attempts_of
from pages import browsing
from pages.browsing import online, package_file, unfold_order
from pages.changing import link
from repricing import current
from shop import EXAMPLE_RATES, Shop

REFUSED = "the server responded with a status of 4"
"""What Chromium writes to its console for a refused form, as for every answer with such a status."""


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.rates(EXAMPLE_RATES)
    await shop.settings(tax="table", adaptive_pricing="on", seller_country="US", blocked_countries="KP")
    await shop.percentage("TEN", 1000)
    return shop


@pytest_asyncio.fixture
async def site(runtime: Runtime) -> AsyncIterator[str]:
    """The address of a real server on the shop's database."""
    async with online(runtime) as runtime:
        yield runtime.public_url


@asynccontextmanager
async def visiting(chromium: Browser, url: str, **options: Any) -> AsyncIterator[Page]:
    """A link in a fresh phone-sized window. Complaints of the browser and requests to strangers fail the test."""
    ours = url.rpartition("/")[0]
    strangers: list[str] = []
    async with browsing.visiting(chromium, tolerated=[REFUSED], **options) as page:
        page.on("request", lambda sent: None if sent.url.startswith(ours) else strangers.append(sent.url))
        await page.goto(url)
        yield page
    assert strangers == []


async def pay_by_keyboard(page: Page) -> None:
    await page.focus("#number")
    for text in ("4242424242424242", "0632", "123", "Ana Lima"):
        await page.keyboard.type(text)
        await page.keyboard.press("Tab")
    await page.focus("#cvc")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".receipt")


async def see_total(page: Page, total: str) -> None:
    """Wait until the order, its total and the button agree on an amount."""
    await page.wait_for_selector(f".due:has-text('{total}')")
    assert total in (await page.text_content(".sum-total") or "")
    button = page.locator("[data-part=payment] button[data-busy]:visible").first
    if await button.count():
        assert total in await button.inner_text()


async def open_codes(page: Page) -> None:
    """Unfold the order, as it is on a phone, and in it the field for a discount code."""
    if not await page.is_visible(".discounts"):
        await page.click(".order-fold > summary")
    if not await page.is_visible("#code"):
        await page.click("summary:has-text('Add a discount code')")


async def amounts_charged(shop: Shop, payment: Payment) -> list[tuple[int, str]]:
    return [(row["amount"], row["currency"]) for row in await attempts_of(shop.runtime, payment)]


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_customer_from_elsewhere_pays_in_their_own_money(
    shop: Shop, site: str, chromium: Browser, scripts: bool
) -> None:
    payment = await link(shop, customer={"email": "ben@example.com"})
    async with visiting(chromium, f"{site}/{payment.link_id}", java_script_enabled=scripts) as page:
        await see_total(page, "€21.90")
        assert not await page.is_visible("#number")
        await page.fill("#customer_name", "Ben Ode")
        await page.focus("#country")
        await page.select_option("#country", "IN")
        if not scripts:
            await page.click("text=Continue to payment")
        await see_total(page, "₹1,963.52")
        await page.wait_for_selector("label:has-text('PIN code')")
        if scripts:
            assert await page.evaluate("document.activeElement.id") == "country"
            assert await page.input_value("#customer_name") == "Ben Ode"
            assert await page.inner_text("[data-announce]") == "Total due ₹1,963.52 INR"
        await page.fill("#city", "Mumbai")
        await page.fill("#state", "Maharashtra")
        await page.fill("#zipcode", "400001")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#number")
        await see_total(page, "₹1,963.52")
        await pay_by_keyboard(page)
    assert await amounts_charged(shop, payment) == [(196_352, "INR")]
    paid = await current(shop, payment.payment_id)
    assert (paid.status, paid.billing.zipcode, paid.customer.name) == ("succeeded", "400001", "Ben Ode")


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_code_is_tried_corrected_removed_and_used(
    shop: Shop, site: str, chromium: Browser, scripts: bool
) -> None:
    payment = await link(shop)
    async with visiting(chromium, f"{site}/{payment.link_id}", java_script_enabled=scripts) as page:
        await page.fill("#number", "4242 4242 4242 4242")
        await open_codes(page)
        await page.fill("#code", "WRONG")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#code-error")
        assert await page.inner_text("#code-error") == "This code is not valid."
        assert await page.evaluate("document.activeElement.id") == "code"
        assert await page.is_enabled("[data-part=payment] button[data-busy]:visible >> nth=0")
        await page.fill("#code", "ten")
        await page.click("text=Apply")
        await see_total(page, "€19.71")
        assert await page.input_value("#number") == ("4242 4242 4242 4242" if scripts else "")
        if not await page.is_visible(".discounts"):
            await page.click(".order-fold > summary")
        await page.click("[aria-label='Remove TEN']")
        await see_total(page, "€21.90")
        await open_codes(page)
        await page.fill("#code", "TEN")
        await page.keyboard.press("Enter")
        await see_total(page, "€19.71")
        await page.fill("#number", "")
        await pay_by_keyboard(page)
    assert await amounts_charged(shop, payment) == [(1971, "EUR")]


async def reach(page: Page, selector: str, *, key: str = "Tab") -> None:
    """Press Tab until the element has the focus."""
    for _ in range(60):
        await page.keyboard.press(key)
        if await page.evaluate("selector => document.activeElement?.matches(selector) ?? false", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by {key}")


@pytest.mark.parametrize("scripts", [True, False])
async def test_an_order_is_changed_and_paid_by_keyboard_alone(
    shop: Shop, site: str, chromium: Browser, scripts: bool
) -> None:
    payment = await link(shop, require_phone_number=True)
    async with visiting(chromium, f"{site}/{payment.link_id}", java_script_enabled=scripts) as page:
        for fold in (".order-fold > summary", ".discounts summary"):
            await reach(page, fold)
            await page.keyboard.press("Enter")
        await reach(page, "#code")
        await page.keyboard.type("WRONG")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#code-error")
        await page.wait_for_selector("#code:focus")
        await page.keyboard.press("Control+A")
        await page.keyboard.type("TEN")
        await page.keyboard.press("Enter")
        await see_total(page, "€19.71")
        await reach(page, "#phone")
        await page.keyboard.type("+49 30 1234567")
        await reach(page, "#country")
        await page.keyboard.type("France")
        await reach(page, ".details-form button[type=submit]")
        if scripts:  # the order is priced as soon as the country is chosen
            await page.wait_for_function("document.querySelector('#country').value === 'FR'")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#number")
        await reach(page, "#number")
        for text in ("4242424242424242", "0632", "123", "Ana Lima"):
            await page.keyboard.type(text)
            await page.keyboard.press("Tab")
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".receipt")
    paid = await current(shop, payment.payment_id)
    assert (paid.status, paid.billing.country, paid.options.discount_codes) == ("succeeded", "FR", ["TEN"])


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_business_pays_without_tax(shop: Shop, site: str, chromium: Browser, scripts: bool) -> None:
    payment = await link(shop)
    async with visiting(chromium, f"{site}/{payment.link_id}", java_script_enabled=scripts) as page:
        await page.click("summary:has-text('Change')")
        await page.click("summary:has-text('I am buying for a business')")
        for tax_id, total in (("DE123", "€21.90"), ("DE136695976", "€18.40")):
            await page.fill("#tax_id", tax_id)
            await page.keyboard.press("Tab")
            await page.keyboard.type("Lima GmbH")
            if not scripts:
                await page.click("text=Save changes")
            if tax_id == "DE123":
                await page.wait_for_selector("#tax_id-error")
                assert await page.is_visible("#number"), "paying without it goes on"
                await page.fill("#business_name", "")
            await see_total(page, total)
        await pay_by_keyboard(page)
    assert await amounts_charged(shop, payment) == [(1840, "EUR")]
    assert (await current(shop, payment.payment_id)).options.tax_id == "DE136695976"


async def test_quick_changes_end_with_the_last_one(shop: Shop, site: str, chromium: Browser) -> None:
    payment = await link(shop)
    async with visiting(chromium, f"{site}/{payment.link_id}") as page:
        await page.click("summary:has-text('Change')")
        async with page.expect_response(lambda answer: "country=FR" in (answer.request.post_data or "")):
            for country in ("IN", "US", "FR"):
                await page.select_option("#country", country)
        await see_total(page, "€22.08")
        assert await page.input_value("#country") == "FR"
        assert (await current(shop, payment.payment_id)).billing.country == "FR"
        if not await page.is_visible("#number"):  # a country in between had another kind of postal code
            await page.fill("#zipcode", "75001")
            await page.click("text=Continue to payment")
        await pay_by_keyboard(page)
    assert await amounts_charged(shop, payment) == [(2208, "EUR")]


async def test_an_unreachable_server_is_told_and_changes_nothing(shop: Shop, site: str, chromium: Browser) -> None:
    payment = await link(shop)
    async with visiting(chromium, f"{site}/{payment.link_id}") as page:
        await page.evaluate(
            "() => { window.sent = window.fetch; window.fetch = () => Promise.reject(new TypeError()); }"
        )
        await open_codes(page)
        await page.fill("#code", "TEN")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("[data-trouble]:focus")
        assert await page.input_value("#code") == "TEN"
        assert (await current(shop, payment.payment_id)) == payment
        await page.evaluate("() => { window.fetch = window.sent; }")
        await page.press("#code", "Enter")
        await see_total(page, "€19.71")
        assert await page.is_hidden("[data-trouble]")


async def test_another_window_changes_the_total_before_it_is_paid(shop: Shop, site: str, chromium: Browser) -> None:
    payment = await link(shop)
    url = f"{site}/{payment.link_id}"
    async with visiting(chromium, url) as first, visiting(chromium, url) as second:
        await open_codes(second)
        await second.fill("#code", "TEN")
        await second.keyboard.press("Enter")
        await see_total(second, "€19.71")
        await first.fill("#number", "4242424242424242")
        await first.fill("#expiry", "06/32")
        await first.fill("#cvc", "123")
        await first.fill("#name", "Ana Lima")
        await first.keyboard.press("Enter")
        await first.wait_for_selector("#stale:focus")
        assert "The total is now €19.71." in await first.inner_text("#stale")
        assert await amounts_charged(shop, payment) == []
        await see_total(first, "€19.71")
        assert await first.input_value("#number") == "4242 4242 4242 4242", "nobody types a card twice"
        await first.press("#cvc", "Enter")
        await first.wait_for_selector(".receipt")
    assert await amounts_charged(shop, payment) == [(1971, "EUR")]


async def test_the_time_that_is_left_counts_down(shop: Shop, site: str, chromium: Browser, clock: FakeClock) -> None:
    await shop.settings(link_ttl_minutes="2")
    payment = await link(shop)
    clock.advance(seconds=116)
    async with visiting(chromium, f"{site}/{payment.link_id}") as page:
        assert await page.inner_text("[role=timer]") in ("Time left: 0 min 4 sec", "Time left: 0 min 3 sec")
        clock.advance(seconds=4)
        await page.wait_for_selector("h1:has-text('This payment link has expired')")


@pytest.mark.parametrize(("scheme", "language"), [("light", "en"), ("dark", "he")])
@pytest.mark.parametrize("state", ["asked", "known", "wrong", "business"])
async def test_nothing_bars_the_way_of_assistive_technology(
    shop: Shop, site: str, chromium: Browser, scheme: str, language: str, state: str
) -> None:
    unknown = {"billing": {"country": "US"}, "customer": {"email": "b@example.com"}, "require_phone_number": True}
    payment = await link(shop, **({} if state in ("known", "business") else unknown), discount_codes=["TEN"])
    url = f"{site}/{payment.link_id}?lang={language}"
    async with visiting(chromium, url, color_scheme=scheme, bypass_csp=True) as page:
        if state in ("known", "business"):
            await page.click(".change > summary")
        await page.click(".details-form summary")
        if state == "business":
            await page.fill("#tax_id", "DE12")
            await page.press("#tax_id", "Tab")
            await page.wait_for_selector("#tax_id-error")
        if state == "wrong":
            await page.evaluate("document.querySelector('form[data-change=details]').noValidate = true")
            await page.click(".details-form button[type=submit]")
            await page.wait_for_selector("#detail-errors:focus")
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        heights = await page.eval_on_selector_all(
            ".details input:not([type=hidden]), .details select, .details button, .details summary, .discounts button",
            "all => all.filter(e => e.checkVisibility()).map(e => [e.outerHTML, e.getBoundingClientRect().height])",
        )
        assert [entry for entry in heights if entry[1] < 44] == []
        await page.add_script_tag(content=package_file("axe-core/axe.min.js"))
        found = await page.evaluate("axe.run({ resultTypes: ['violations'] })")
    assert [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found["violations"]] == []


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_postal_code_changes_the_total_before_it_is_paid(
    shop: Shop, site: str, chromium: Browser, scripts: bool
) -> None:
    """From Berlin to Büsingen, which has a German postal code and Swiss tax."""
    await shop.settings(adaptive_pricing="off")
    payment = await link(shop)
    async with visiting(chromium, f"{site}/{payment.link_id}", java_script_enabled=scripts) as page:
        await unfold_order(page)
        assert "23.80" in await page.inner_text(".sum-total")
        await page.click("details.change > summary")
        await page.fill("#zipcode", "D-78266")
        if scripts:
            await page.press("#zipcode", "Tab")
        else:
            await page.click(".details-form button[type=submit]")
        await page.wait_for_selector(".sum-total:has-text('21.62')", state="attached")
    changed = await current(shop, payment.payment_id)
    assert (changed.billing.zipcode, changed.tax, changed.total_amount) == ("78266", 162, 2162)


async def test_another_language_and_another_country_keep_what_was_typed(
    shop: Shop, site: str, chromium: Browser
) -> None:
    payment = await link(shop)
    async with visiting(chromium, f"{site}/{payment.link_id}") as page:
        for field, text in (("number", "4242 4242 4242 4242"), ("expiry", "04/30"), ("cvc", "123"), ("name", "Ana")):
            await page.fill(f"#{field}", text)
        await page.click("text=Change")
        await page.fill("#street", "Rue 1")
        await page.select_option("#country", "FR")
        await page.wait_for_selector(".known:has-text('France')")
        assert await page.locator("#street").is_visible()
        assert await page.input_value("#street") == "Rue 1"
        await page.fill("#city", "Paris")
        for name, root in (("Deutsch", "html[lang=de]"), ("العربية", "html[dir=rtl]")):
            await page.click(".languages summary")
            await page.click(f".languages >> text={name}")
            await page.wait_for_selector(root)
            assert await page.input_value("#city") == "Paris"
            assert await page.input_value("#number") == "4242 4242 4242 4242"
        assert page.url.endswith("?lang=ar")
        await page.fill("#zipcode", "75 001")
        await page.click(".details-form .button")
        await page.wait_for_selector("#pay-heading:focus")
        assert await page.input_value("#number") == "4242 4242 4242 4242"
        await page.press("#name", "Enter")
        await page.wait_for_selector(".receipt")
    paid = await current(shop, payment.payment_id)
    assert paid.status == "succeeded"
    assert (paid.billing.country, paid.billing.city, paid.billing.street, paid.billing.zipcode) == (
        "FR", "Paris", "Rue 1", "75001",
    )  # fmt: skip


@pytest.mark.parametrize("scripts", [True, False])
async def test_what_was_told_here_can_be_corrected_until_paying(
    shop: Shop, site: str, chromium: Browser, scripts: bool
) -> None:
    payment = await link(shop, customer={"email": "new@example.com"}, require_phone_number=True)
    async with visiting(chromium, f"{site}/{payment.link_id}", java_script_enabled=scripts) as page:
        await page.fill("#customer_name", "Ana Lina")
        await page.fill("#phone", "030 123456")
        await page.click("text=Continue to payment")
        await page.wait_for_selector("#number")
        await page.click("text=Change")
        assert await page.input_value("#phone") == "+4930123456"
        await page.fill("#customer_name", "Ana Lima")
        await page.fill("#phone", "030 654321")
        await page.click("text=Save changes")
        await page.wait_for_selector("#customer_name", state="hidden")
    told = (await current(shop, payment.payment_id)).customer
    assert (told.name, told.phone_number) == ("Ana Lima", "+4930654321")
