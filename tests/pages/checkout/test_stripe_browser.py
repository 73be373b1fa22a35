"""A real browser on the page with Stripe's fields; only the script that comes from Stripe is a stand-in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route

from at_stripe import PUBLISHABLE_KEY, LocalStripe, connect, with_accounts
from harness import FakeClock
from nicobar.app import create_app
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Payment
from nicobar.flows.business.create_business import create_business
from nicobar.flows.runtime import Runtime
from orders import attempts_of, line, order, place, reload
from pages.axe import obstacles
from pages.browsing import free_socket, port_of, serving, visiting

STRIPE_JS = """
window.told = [];
window.Stripe = (key, options) => ({
  elements: (settings) => ({
    create: (type, how) => ({
      on: (name, then) => { if (name === "ready") setTimeout(then); },
      mount: (place) => {
        window.told.push({ key, options, settings, type, how });
        place.innerHTML = '<label>Card <input id="typed"></label>';
      },
    }),
  }),
  confirmPayment: async ({ confirmParams }) => {
    const typed = document.getElementById("typed").value;
    if (!typed) return { error: { type: "validation_error", message: "Your card number is incomplete." } };
    const answer = await window.payAtStripe(typed);
    const declined = answer.status === "requires_payment_method";
    if (declined) return { error: { type: "card_error", payment_intent: { last_payment_error: { code: "x" } } } };
    location.assign(confirmParams.return_url);
    return {};
  },
  confirmSetup: async ({ confirmParams }) => {
    const answer = await window.keepAtStripe(document.getElementById("typed").value);
    const declined = answer.status === "requires_payment_method";
    if (declined) return { error: { type: "card_error", setup_intent: { last_setup_error: { code: "x" } } } };
    location.assign(confirmParams.return_url);
    return {};
  },
});
"""
"""As much of Stripe.js as the page uses; the payment itself is made at localstripe."""


@pytest_asyncio.fixture
async def site(runtime: Runtime, clock: FakeClock) -> AsyncIterator[Runtime]:
    """A real server, and the runtime that it works with."""
    listening = free_socket()
    clock.moment = datetime.now(UTC)
    runtime = runtime._replace(public_url=f"http://127.0.0.1:{port_of(listening)}")
    async with with_accounts(runtime) as runtime, serving(create_app(runtime), listening):
        yield runtime
    listening.close()


@pytest_asyncio.fixture
async def payment(site: Runtime, localstripe: LocalStripe) -> Payment:
    tenant = Tenant(await create_business(site, "Dodo Records"), "test")
    await connect(site, tenant, localstripe)
    return await place(site, order(site, tenant))


@asynccontextmanager
async def choosing_card(
    chromium: Browser, site: Runtime, payment: Payment, localstripe: LocalStripe, **options: Any
) -> AsyncIterator[Page]:
    """A page on which a card has been chosen; anything that the browser complains about fails the test."""

    async def answer(route: Route) -> None:
        await route.fulfill(content_type="text/javascript", body=STRIPE_JS)

    async def pay(number: str) -> dict[str, object]:
        reference = str((await attempts_of(site, payment))[-1]["outcome"]["reference"])
        localstripe.pay(reference, number)
        return localstripe.intent(reference)

    async def keep(number: str) -> dict[str, object]:
        reference = str((await attempts_of(site, payment))[-1]["outcome"]["reference"])
        localstripe.keep(reference, number)
        return localstripe.setup(reference)

    async with visiting(chromium, **options) as page:
        await page.context.route("https://js.stripe.com/**", answer)
        await page.expose_function("payAtStripe", pay)
        await page.expose_function("keepAtStripe", keep)
        await page.goto(site.link_url(payment.link_id or ""))
        if await (choice := page.get_by_role("radio", name="Card")).count():  # a card that is kept is the only way
            await choice.check()
        await page.get_by_role("button", name="Continue to payment").click()
        await page.wait_for_url("**/stripe")
        if options.get("java_script_enabled", True):
            await page.get_by_label("Card", exact=True).wait_for()
        yield page


async def test_a_customer_pays_in_stripes_fields(
    site: Runtime, payment: Payment, chromium: Browser, localstripe: LocalStripe
) -> None:
    async with choosing_card(chromium, site, payment, localstripe, color_scheme="dark") as page:
        (told,) = await page.evaluate("window.told")
        assert (told["key"], told["options"]) == (PUBLISHABLE_KEY, {"locale": "en"})
        assert told["settings"]["appearance"]["theme"] == "night"
        assert told["settings"]["appearance"]["variables"]["colorBackground"] == "#18211e"
        assert told["how"] == {"wallets": {"applePay": "auto", "googlePay": "auto"}}

        await page.get_by_role("button", name="Pay $24.00").click()
        await page.get_by_text("Your card number is incomplete.").wait_for()
        assert await page.get_by_role("button", name="Pay $24.00").is_enabled()

        await page.get_by_label("Card", exact=True).fill("4242424242424242")
        await page.get_by_role("button", name="Pay $24.00").click()
        await page.get_by_role("heading", name="Payment received").wait_for()
    assert (await reload(site, payment)).status == "succeeded"


async def test_a_declined_card_leads_back_to_the_choice(
    site: Runtime, payment: Payment, chromium: Browser, localstripe: LocalStripe
) -> None:
    async with choosing_card(chromium, site, payment, localstripe) as page:
        assert (await page.evaluate("window.told"))[0]["settings"]["appearance"]["theme"] == "stripe"
        await page.get_by_label("Card", exact=True).fill("4000000000000341")
        await page.get_by_role("button", name="Pay $24.00").click()
        await page.get_by_role("heading", name="Your payment was not made").wait_for()
        assert await page.get_by_role("button", name="Continue to payment").first.is_visible()
    assert (await reload(site, payment)).status == "failed"


async def test_a_card_is_kept_without_a_charge(
    site: Runtime, clock: FakeClock, payment: Payment, chromium: Browser, localstripe: LocalStripe
) -> None:
    """A card that is declined leads back to the choice, and another one is kept."""
    kept = order(
        site,
        payment.tenant,
        [line(subtotal=0, tax=0)],
        options={"keeps_method": True},
    )
    await place(site, kept)
    async with choosing_card(chromium, site, kept, localstripe) as page:
        await page.get_by_label("Card", exact=True).fill("4000000000000002")
        await page.get_by_role("button", name="Use this card").click()
        await page.get_by_role("heading", name="Your payment was not made").wait_for()
        clock.advance(seconds=5)
        await page.get_by_role("button", name="Continue to payment").first.click()
        await page.wait_for_url("**/stripe")
        await page.get_by_label("Card", exact=True).fill("4242424242424242")
        await page.get_by_role("button", name="Use this card").click()
        await page.get_by_role("heading", name="Order complete").wait_for()
    assert (await reload(site, kept)).status == "succeeded"


async def test_another_way_to_pay(site: Runtime, payment: Payment, chromium: Browser, localstripe: LocalStripe) -> None:
    async with choosing_card(chromium, site, payment, localstripe) as page:
        await page.get_by_role("button", name="Pay another way").click()
        await page.get_by_text("How would you like to pay?").wait_for()
    assert (await reload(site, payment)).status == "requires_payment_method"


async def test_stripes_script_cannot_be_loaded(
    site: Runtime, payment: Payment, chromium: Browser, localstripe: LocalStripe
) -> None:
    async with choosing_card(chromium, site, payment, localstripe) as page:
        await page.context.unroute_all()
        await page.context.route(
            "https://js.stripe.com/**", lambda route: route.fulfill(content_type="text/javascript", body="")
        )
        await page.reload()
        await page.get_by_text("The fields for your payment could not be loaded.").wait_for()
        assert await page.get_by_role("button", name="Pay $24.00").count() == 0


async def test_without_scripts_the_page_says_what_is_needed(
    site: Runtime, payment: Payment, chromium: Browser, localstripe: LocalStripe
) -> None:
    async with choosing_card(chromium, site, payment, localstripe, java_script_enabled=False) as page:
        told = page.locator("main noscript p")  # by its text, Playwright finds nothing inside of noscript
        assert await told.is_visible() and "need JavaScript" in await told.inner_text()
        assert await page.get_by_role("alert").count() == 0
        assert await page.get_by_role("button", name="Pay $24.00").count() == 0
        await page.get_by_role("button", name="Pay another way").click()
        await page.get_by_text("How would you like to pay?").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_stands_in_anybodys_way(
    scheme: str, site: Runtime, payment: Payment, chromium: Browser, localstripe: LocalStripe
) -> None:
    async with choosing_card(chromium, site, payment, localstripe, color_scheme=scheme) as page:
        assert await page.get_by_role("alert").count() == 0
        assert await obstacles(page) == []
        await page.get_by_role("button", name="Pay $24.00").click()
        assert await page.get_by_role("alert").inner_text() == "Your card number is incomplete."
        assert await obstacles(page) == []
