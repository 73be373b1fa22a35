"""A real browser on a single page with Stripe's own fields; only the script that comes from Stripe is a stand-in.

The stand-in keeps what is typed in a frame, which forgets it when it is moved or replaced, and refuses what Stripe
does: a payment that was ordered otherwise than its fields were told.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FrameLocator, Page, Route, expect

from api.sessions.opening import create_session
from api.subscriptions.subscribing import PRICE
from at_stripe import PUBLISHABLE_KEY, LocalStripe, connect, with_accounts
from harness import FakeClock, make_merchant
from nicobar.app import create_app
from nicobar.flows.runtime import Runtime
from pages.axe import obstacles
from pages.browsing import free_socket, port_of, serving, visiting
from shop import Shop, item

REFUSED = "the server responded with a status of 4"
TOLD = {"email": "kim@example.com", "customer_name": "Kim Park", "zipcode": "10119"}

STRIPE_JS = """
window.told = [];
window.Stripe = (key, options) => {
  let terms;
  const typed = () => document.querySelector("[data-mount] iframe").contentDocument.getElementById("typed").value;
  const confirm = async ({ elements, clientSecret, confirmParams }) => {
    const ordered = await window.orderedAtStripe(clientSecret);
    for (const [name, value] of Object.entries(ordered)) {
      if (JSON.stringify(value) !== JSON.stringify(terms[name])) throw new Error(`${name} is not ${value}`);
    }
    if (typed() === "broken") return { error: { type: "api_connection_error", message: "No connection." } };
    const answer = await window.payAtStripe(clientSecret, typed());
    if (answer.status === "requires_payment_method") return { error: { type: "card_error" } };
    const back = new URL(confirmParams.return_url);
    back.searchParams.set("payment_intent", answer.id);
    location.assign(back);
    return new Promise(() => {});
  };
  return {
    elements: (settings) => {
      terms = { setupFutureUsage: null, ...settings };
      window.told.push({ key, options, settings });
      return {
        create: (type, how) => ({
          on: (name, then) => { if (name === "ready") setTimeout(then); },
          mount: (place) => {
            const frame = Object.assign(document.createElement("iframe"), { title: "Secure card fields", width: "100%",
              height: 60, srcdoc: '<html lang="en"><title>Card</title><label>Card <input id="typed"></label></html>' });
            place.replaceChildren(frame);
          },
        }),
        update: (changed) => { Object.assign(terms, changed); window.told.push({ changed }); },
        submit: async () => (typed() ? {} : { error: { message: "Your card number is incomplete." } }),
      };
    },
    confirmPayment: confirm,
    confirmSetup: confirm,
  };
};
"""
"""As much of Stripe.js as the page uses; the payment itself is made at localstripe."""


@pytest_asyncio.fixture
async def shop(runtime: Runtime, clock: FakeClock, localstripe: LocalStripe) -> AsyncIterator[Shop]:
    """A shop with an account at Stripe, on a real server."""
    listening = free_socket()
    clock.moment = datetime.now(UTC)
    runtime = runtime._replace(public_url=f"http://127.0.0.1:{port_of(listening)}")
    async with with_accounts(runtime) as runtime:
        app = create_app(runtime)
        async with serving(app, listening):
            shop = Shop(runtime, app, clock, await make_merchant(runtime, app, "Dodo Records"))
            await connect(runtime, shop.merchant.tenant, localstripe)
            await shop.settings(seller_country="DE", tax="table")
            await shop.taxes("country,name,standard_percent\nDE,VAT,19\nFR,VAT,20\n")
            yield shop
    listening.close()


@asynccontextmanager
async def at_the_form(
    shop: Shop, chromium: Browser, localstripe: LocalStripe, product: str | None = None, **options: Any
) -> AsyncIterator[tuple[Page, str]]:
    """A single page for a German buyer, with Stripe's fields where there are scripts; and its session's id."""

    async def answer(route: Route) -> None:
        await route.fulfill(content_type="text/javascript", body=STRIPE_JS)

    async def ordered(secret: str) -> dict[str, Any]:
        reference = secret.partition("_secret")[0]
        order = localstripe.ordered(reference)
        terms: dict[str, Any] = {"paymentMethodTypes": order["payment_method_types"]}
        if reference.startswith("seti_"):
            return terms | {"mode": "setup", "setupFutureUsage": order["usage"]}
        usage = order.get("setup_future_usage")
        amount, currency = int(str(order["amount"])), order["currency"]
        return terms | {"mode": "payment", "setupFutureUsage": usage, "amount": amount, "currency": currency}

    async def pay(secret: str, number: str) -> dict[str, object]:
        reference = secret.partition("_secret")[0]
        if reference.startswith("seti_"):
            localstripe.keep(reference, number)
            return localstripe.setup(reference)
        localstripe.pay(reference, number)
        return localstripe.intent(reference)

    fields = {"feature_flags": {"single_page": True}, "billing_address": {"country": "DE"}}
    editable = {"feature_flags": {"single_page": True, "allow_customer_editing_country": True}}
    created = await create_session(shop, item(product or await shop.product(10_000)), **fields | editable)
    async with visiting(chromium, tolerated=[REFUSED], **options) as page:
        await page.context.route("https://js.stripe.com/**", answer)
        await page.expose_function("orderedAtStripe", ordered)
        await page.expose_function("payAtStripe", pay)
        await page.goto(created["checkout_url"])
        if options.get("java_script_enabled", True):
            await card_in(page).locator("#typed").wait_for()
        yield page, created["session_id"]


def card_in(page: Page) -> FrameLocator:
    return page.frame_locator("[data-mount] iframe")


async def fill(page: Page, number: str = "4242424242424242", **told: str) -> None:
    for name, text in (TOLD | told).items():
        await page.fill(f"#{name}", text)
    await card_in(page).locator("#typed").fill(number)


async def typed_card(page: Page) -> str:
    return await card_in(page).locator("#typed").input_value()


async def payments_of(shop: Shop) -> list[dict[str, Any]]:
    return list((await shop.read("/payments"))["items"])


async def test_another_language_keeps_the_details(shop: Shop, chromium: Browser, localstripe: LocalStripe) -> None:
    async with at_the_form(shop, chromium, localstripe) as (page, _):
        await fill(page)
        await page.click(".languages summary")
        await page.click(".languages >> text=Deutsch")
        await page.wait_for_selector("html[lang=de]")
        await card_in(page).locator("#typed").wait_for()
        assert {name: await page.input_value(f"#{name}") for name in TOLD} == TOLD
        assert await payments_of(shop) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_details_and_card_are_one_form(
    shop: Shop, chromium: Browser, localstripe: LocalStripe, scheme: Any
) -> None:
    before = len(localstripe.intents())
    async with at_the_form(shop, chromium, localstripe, color_scheme=scheme) as (page, session_id):
        (told,) = await page.evaluate("window.told")
        settings = told["settings"]
        assert (told["key"], told["options"]) == (PUBLISHABLE_KEY, {"locale": "en"})
        assert settings.pop("appearance")["theme"] == ("night" if scheme == "dark" else "stripe")
        terms = {"mode": "payment", "amount": 11_900, "currency": "usd", "setupFutureUsage": None}
        assert settings == terms | {"paymentMethodTypes": ["card"]}
        assert await obstacles(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        await fill(page, "")
        await page.get_by_role("button", name="Pay $119.00").click()
        assert await page.get_by_role("alert").inner_text() == "Your card number is incomplete."
        assert (await payments_of(shop), len(localstripe.intents())) == ([], before)
        await fill(page, zipcode="1")
        await page.get_by_role("button", name="Pay $119.00").click()
        await page.wait_for_selector("#detail-errors")
        assert await page.evaluate("document.activeElement.id") == "detail-errors"
        assert await obstacles(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        assert (await typed_card(page), await page.input_value("#email")) == ("4242424242424242", "kim@example.com")
        await page.fill("#zipcode", "10119")
        await page.focus("#customer_name")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".receipt")
        await page.go_back()
        await page.wait_for_selector(".receipt")
    (paid,) = await payments_of(shop)
    assert (paid["status"], paid["total_amount"]) == ("succeeded", 11_900)
    assert (await shop.read(f"/checkouts/{session_id}"))["payment_id"] == paid["payment_id"]
    assert len(localstripe.intents()) == before + 1


async def test_a_new_total_is_shown_and_the_card_stays(shop: Shop, chromium: Browser, localstripe: LocalStripe) -> None:
    await shop.percentage("TEN", 1000)
    async with at_the_form(shop, chromium, localstripe) as (page, _):
        await fill(page)
        await page.select_option("#country", "FR")
        await expect(page.locator("[data-announce]")).to_have_text("Total due $120.00 USD")
        await page.get_by_role("button", name="Pay $120.00").wait_for()
        assert (await typed_card(page), await page.input_value("#country")) == ("4242424242424242", "FR")
        assert (await page.evaluate("window.told.at(-1)"))["changed"]["amount"] == 12_000
        await page.locator("details:has(#code) > summary").click()
        await page.fill("#code", "ten")
        await page.fill("#zipcode", "75001")
        await page.get_by_role("button", name="Pay $120.00").click()
        await page.get_by_text("The total is now $108.00.").wait_for()
        assert await page.evaluate("document.activeElement.id") == "stale"
        assert await payments_of(shop) == []
        assert await typed_card(page) == "4242424242424242"
        await page.get_by_role("button", name="Pay $108.00").dblclick()
        await page.wait_for_selector(".receipt")
    (paid,) = await payments_of(shop)
    assert (paid["status"], paid["total_amount"]) == ("succeeded", 10_800)


async def test_a_code_is_entered_by_keyboard(shop: Shop, chromium: Browser, localstripe: LocalStripe) -> None:
    await shop.percentage("TEN", 1000)
    async with at_the_form(shop, chromium, localstripe) as (page, _):
        await fill(page)
        await page.focus("details:has(#code) > summary")
        await page.keyboard.press("Enter")
        await page.fill("#code", "nope")
        await page.focus("button[name=apply]")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#code-error")
        assert await page.evaluate("document.activeElement.id") in ("code", "detail-errors")
        await page.fill("#code", "ten")
        await page.focus("button[name=apply]")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".code-name:has-text('TEN')")
        await page.get_by_role("button", name="Pay $107.10").wait_for()
        assert await page.evaluate("document.activeElement.name") == "apply"
        await page.click(".code-remove")
        await page.get_by_role("button", name="Pay $119.00").wait_for()
        assert await page.evaluate("document.activeElement !== document.body")
        assert await typed_card(page) == "4242424242424242"


async def test_a_declined_card_is_said_on_the_payments_page(
    shop: Shop, chromium: Browser, localstripe: LocalStripe
) -> None:
    async with at_the_form(shop, chromium, localstripe) as (page, _):
        await fill(page, "4000000000000341")
        await page.get_by_role("button", name="Pay $119.00").click()
        await page.get_by_role("heading", name="Your payment was not made").wait_for()
    (failed,) = await payments_of(shop)
    assert failed["status"] == "failed"


async def test_whoever_was_not_charged_finds_the_fields_once_more(
    shop: Shop, chromium: Browser, localstripe: LocalStripe
) -> None:
    async with at_the_form(shop, chromium, localstripe) as (page, session_id):
        await fill(page, "broken")
        await page.get_by_role("button", name="Pay $119.00").click()
        await page.wait_for_url("**/stripe")
        await page.goto(f"{shop.runtime.public_url}/session/{session_id}")
        await page.wait_for_url("**/stripe")
    (waiting,) = await payments_of(shop)
    assert waiting["status"] == "requires_customer_action"


async def test_a_card_is_kept_where_its_owner_agrees(shop: Shop, chromium: Browser, localstripe: LocalStripe) -> None:
    async with at_the_form(shop, chromium, localstripe) as (page, _):
        await fill(page)
        await page.check("#save")
        assert (await page.evaluate("window.told.at(-1)"))["changed"]["setupFutureUsage"] == "off_session"
        await page.get_by_role("button", name="Pay $119.00").click()
        await page.wait_for_selector(".receipt")
    assert localstripe.ordered(str(localstripe.intents()[0]["id"]))["setup_future_usage"] == "off_session"


@pytest.mark.parametrize("trial", [0, 7])
async def test_a_subscription_keeps_the_card(
    shop: Shop, chromium: Browser, localstripe: LocalStripe, trial: int
) -> None:
    plan = {"name": "Club", "tax_category": "saas", "price": PRICE | {"trial_period_days": trial}}
    product = (await shop.client.post("/products", json=plan)).json()["product_id"]
    async with at_the_form(shop, chromium, localstripe, product) as (page, _):
        settings = (await page.evaluate("window.told"))[0]["settings"]
        mode = "setup" if trial else "payment"
        assert (settings["mode"], settings["setupFutureUsage"]) == (mode, "off_session")
        await fill(page)
        await page.get_by_role("button", name="Use this card" if trial else "Pay $35.70").click()
        await page.wait_for_selector(".receipt")
    (subscribed,) = (await shop.read("/subscriptions"))["items"]
    assert subscribed["status"] == "active"


async def test_another_method_is_paid_on_its_own_page(shop: Shop, chromium: Browser, localstripe: LocalStripe) -> None:
    async with at_the_form(shop, chromium, localstripe, await shop.product(10_000, "EUR")) as (page, _):
        await fill(page)
        await page.check("#method-sepa")
        await page.locator(".method:has(#method-sepa) button.button").click()
        await page.wait_for_url("**/stripe")
    (waiting,) = await payments_of(shop)
    assert (waiting["payment_method_type"], waiting["status"]) == ("sepa", "requires_customer_action")


async def test_without_stripes_script_the_fields_come_second(
    shop: Shop, chromium: Browser, localstripe: LocalStripe
) -> None:
    async with at_the_form(shop, chromium, localstripe) as (page, _):
        await page.context.unroute_all()
        await page.context.route(
            "https://js.stripe.com/**", lambda route: route.fulfill(content_type="text/javascript", body="")
        )
        await page.reload()
        for name, text in TOLD.items():
            await page.fill(f"#{name}", text)
        await page.get_by_role("button", name="Continue to payment").first.click()
        await page.get_by_text("The fields for your payment could not be loaded.").wait_for()
    assert len(await payments_of(shop)) == 1


async def test_without_scripts_the_second_page_says_what_is_needed(
    shop: Shop, chromium: Browser, localstripe: LocalStripe
) -> None:
    async with at_the_form(shop, chromium, localstripe, java_script_enabled=False) as (page, _):
        for name, text in TOLD.items():
            await page.fill(f"#{name}", text)
        await page.get_by_role("button", name="Continue to payment").first.click()
        await page.wait_for_url("**/stripe")
        assert "need JavaScript" in await page.locator("main noscript p").inner_text()


async def test_other_ways_to_pay_come_and_go_around_the_card(
    shop: Shop, chromium: Browser, localstripe: LocalStripe
) -> None:
    async with at_the_form(shop, chromium, localstripe, await shop.product(10_000, "EUR")) as (page, _):
        await fill(page)
        assert await page.locator("#method-ideal").count() == 0
        await page.select_option("#country", "NL")
        await page.wait_for_selector("#method-ideal")
        shown = page.locator("input[name=method]")
        names = [await one.get_attribute("value") for one in await shown.all()]
        assert names.index("card") < names.index("ideal") and len(names) == len(set(names))
        assert (await typed_card(page), await page.is_checked("#method-card")) == ("4242424242424242", True)
        await page.select_option("#country", "DE")
        await page.wait_for_selector("#method-ideal", state="detached")
        assert await typed_card(page) == "4242424242424242"
        assert await obstacles(page) == []
        await page.get_by_role("button", name="Pay €119.00").click()
        await page.wait_for_selector(".receipt")


async def test_a_total_of_nothing_needs_no_fields(shop: Shop, chromium: Browser, localstripe: LocalStripe) -> None:
    await shop.percentage("GIFT", 10_000)
    before = len(localstripe.intents())
    async with at_the_form(shop, chromium, localstripe) as (page, _):
        await fill(page)
        await page.locator("details:has(#code) > summary").click()
        await page.fill("#code", "gift")
        await page.focus("#email")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Nothing to pay").wait_for()
        assert await page.locator("[data-mount]").count() == 0
        assert await page.input_value("#email") == "kim@example.com"
        assert await payments_of(shop) == []
        await page.locator("button.button:visible").last.click()
        await page.wait_for_selector(".receipt")
    assert [paid["total_amount"] for paid in await payments_of(shop)] == [0]
    assert len(localstripe.intents()) == before


async def test_a_frame_tells_the_sellers_page(shop: Shop, chromium: Browser, localstripe: LocalStripe) -> None:
    await shop.settings(allowed_origins="http://localhost:7")
    async with at_the_form(shop, chromium, localstripe) as (page, session_id):
        address = f"{shop.runtime.public_url}/overlay/session/{session_id}"

        async def answer(route: Route) -> None:
            heard = "window.heard = []; addEventListener('message', (event) => heard.push(event.data.event_type));"
            body = f"<script>{heard}</script><iframe src='{address}' width=340 height=700></iframe>"
            await route.fulfill(content_type="text/html", body=f"<!doctype html><title>Shop</title>{body}")

        await page.context.route("http://localhost:7/", answer)
        await page.context.grant_permissions(["local-network-access"])
        await page.goto("http://localhost:7/")
        frame = page.frame_locator("iframe")
        for name, text in TOLD.items():
            await frame.locator(f"#{name}").fill(text)
        await frame.frame_locator("[data-mount] iframe").locator("#typed").fill("4242424242424242")
        await frame.locator("#country").select_option("FR")
        await frame.get_by_role("button", name="Pay $120.00").click()
        await frame.locator(".receipt").wait_for()
        heard = await page.evaluate("window.heard")
    assert [name.removeprefix("checkout.") for name in heard] == [
        "opened",
        "form_ready",
        "breakdown",
        "breakdown",
        "customer_details_submitted",
        "pay_button_clicked",
    ]
    (paid,) = await payments_of(shop)
    assert (paid["status"], paid["total_amount"]) == ("succeeded", 12_000)
