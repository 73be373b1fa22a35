"""The official checkout script, in a browser, with our page in its frame: how far it goes."""

import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FrameLocator, Page, Route
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route as WebRoute
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.app import create_app
from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from orders import line, order, place, reload, with_processors
from pages.browsing import free_socket, launched, make_certificate, package_file, port_of, serving, visiting
from pages.changing import link
from pages.frames import HOST, SHOP, allow
from shop import Shop as Seller

# --- the official script ---------------------------------------------------------------------------------------------


class Shop(NamedTuple):
    """A seller's page on an origin of its own, which opens the payment with the script as it is published."""

    origin: str
    thanked: list[dict[str, str]]


class Tls(NamedTuple):
    """Where our server listens for the host that the script opens."""

    listening: socket.socket
    certificate: tuple[str, str]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    with free_socket() as listening:
        yield Tls(listening, make_certificate(tmp_path_factory.mktemp("tls"), HOST))


@pytest_asyncio.fixture(scope="module")
async def chromium(tls: Tls) -> AsyncIterator[Browser]:
    """A browser that finds our server at the script's host, and nothing at any other host of the hosted service."""
    rules = f"MAP {HOST}:443 127.0.0.1:{port_of(tls.listening)}, MAP *.dodopayments.com ~NOTFOUND"
    async with launched(f"--host-resolver-rules={rules}") as browser:
        yield browser


@pytest_asyncio.fixture
async def site(runtime: Runtime, tls: Tls) -> AsyncIterator[Runtime]:
    runtime = with_processors(runtime._replace(public_url=f"https://{HOST}"))
    async with serving(create_app(runtime), tls.listening, tls.certificate):
        yield runtime


@pytest_asyncio.fixture
async def shop(site: Runtime, tenant: Tenant) -> AsyncIterator[Shop]:
    listening = free_socket()
    origin = f"http://127.0.0.1:{port_of(listening)}"
    thanked: list[dict[str, str]] = []

    async def page(_request: Request) -> Response:
        return HTMLResponse(
            '<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,">'
            '<script src="/checkout.js"></script><h1>Shop</h1><div id="here"></div>'
        )

    async def script(_request: Request) -> Response:
        return Response(package_file("dodopayments-checkout/dist/index.js"), media_type="text/javascript")

    async def thanks(request: Request) -> Response:
        thanked.append(dict(request.query_params))
        return HTMLResponse('<!doctype html><html lang="en"><title>Shop</title><h1>Thank you</h1>')

    routes = [WebRoute("/", page), WebRoute("/checkout.js", script), WebRoute("/thanks", thanks)]
    await allow(site, tenant, origin)
    async with serving(Starlette(routes=routes), listening):
        yield Shop(origin, thanked)
    listening.close()


EXPECTED = ("Failed to inject Dodo SDK", "Blocked autofocusing")
"""The script looks for a wallet that no server of ours has; a browser leaves focus in frames to our own script."""


@asynccontextmanager
async def shopping(chromium: Browser, shop: Shop) -> AsyncIterator[Page]:
    """The shop's page on a phone. What the browser complains about fails the test, apart from the wallet's script."""

    async def refuse(route: Route) -> None:
        await route.fulfill(status=204)

    phone: dict[str, Any] = {"viewport": {"width": 390, "height": 760}, "ignore_https_errors": True}
    async with visiting(chromium, tolerated=EXPECTED, **phone) as page:
        await page.route("https://*.hs.dodopayments.com/**", refuse)
        await page.goto(shop.origin)
        yield page


async def open_checkout(page: Page, runtime: Runtime, link_id: str | None, kind: str, **options: Any) -> FrameLocator:
    """Open the payment with the script. Its events go to the tab's storage, which outlives a change of page."""
    await page.evaluate(
        """([url, kind, options]) => {
            const events = [];
            const onEvent = (event) => { events.push(event); sessionStorage.events = JSON.stringify(events); };
            sessionStorage.events = "[]";
            const { DodoPayments } = DodoPaymentsCheckout;
            DodoPayments.Initialize({ mode: "test", displayType: kind, onEvent });
            const elementId = kind === "inline" ? "here" : undefined;
            DodoPayments.Checkout.open({ checkoutUrl: url, elementId, options });
        }""",
        [f"{runtime.public_url}/{link_id}", kind, options],
    )
    return page.frame_locator("#dodo-checkout-iframe")


async def heard(page: Page, last: str, *, times: int = 1) -> list[Any]:
    """Wait for an event, or for so many of it, and return all in order, without what the script says of its wallet.

    An event of which the name says everything is its name, any other one is its name with its message.
    """
    await page.wait_for_function(
        """([last, times]) => {
            const names = JSON.parse(sessionStorage.events).map((event) => event.event_type);
            return names.at(-1) === last && names.filter((name) => name === last).length >= times;
        }""",
        arg=[f"checkout.{last}", times],
    )
    found: list[Any] = []
    for event in json.loads(await page.evaluate("sessionStorage.events")):
        name, message = event["event_type"].removeprefix("checkout."), event["data"].get("message")
        assert event["data"]["timestamp"]
        if message != "Wallet initialization failed":
            found.append((name, message) if message and name != "breakdown" else name)
    return found


async def fill_and_pay(frame: FrameLocator, number: str = "4242424242424242") -> None:
    for field, value in {"number": number, "expiry": "0632", "cvc": "123", "name": "Ana Lima"}.items():
        await frame.locator(f"#{field}").fill(value)
    await frame.locator("#name").press("Enter")


OPENING = ["opened", "form_ready", "breakdown", "payment_page_opened"]


@pytest.mark.parametrize("kind", ["overlay", "inline"])
async def test_the_official_script_pays_in_a_frame_and_leads_to_the_shop(
    site: Runtime, tenant: Tenant, shop: Shop, chromium: Browser, kind: str
) -> None:
    target = f"{shop.origin}/thanks"
    options = {"return_url": target, "redirect_immediately": True}
    payment = await place(site, order(site, tenant, options=options))
    async with shopping(chromium, shop) as page:
        frame = await open_checkout(page, site, payment.link_id, kind, payButtonText="Buy now")
        assert await heard(page, "payment_page_opened") == OPENING
        assert await frame.locator("[data-pay] button[type=submit]:visible").first.inner_text() == "Buy now"
        await fill_and_pay(frame)
        await page.wait_for_url(f"{target}?*")
        (query,) = shop.thanked
        assert query == {"payment_id": payment.payment_id, "status": "succeeded", "email": "ana.lima@example.com"}
        redirect = ("redirect", {"redirect_to": page.url})
        assert await heard(page, "redirect") == [*OPENING, "pay_button_clicked", redirect]
    assert (await reload(site, payment)).status == "succeeded"


async def test_a_decline_and_a_bank_stay_in_the_frame(
    site: Runtime, tenant: Tenant, shop: Shop, chromium: Browser, clock: FakeClock
) -> None:
    payment = await place(site, order(site, tenant, options={"return_url": f"{shop.origin}/thanks"}))
    clock.advance(seconds=1)
    async with shopping(chromium, shop) as page:
        frame = await open_checkout(page, site, payment.link_id, "overlay", manualRedirect=True)
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
    site: Runtime, app: ASGIApp, merchant: Merchant, shop: Shop, chromium: Browser, clock: FakeClock
) -> None:
    """A change that the script makes without a new page is told like any other."""
    await allow(site, merchant.tenant, shop.origin)
    payment = await link(Seller(site, app, clock, merchant), billing={"country": "US"})
    async with shopping(chromium, shop) as page:
        frame = await open_checkout(page, site, payment.link_id, "inline")
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
async def test_the_overlay_closes(site: Runtime, tenant: Tenant, shop: Shop, chromium: Browser, way: str) -> None:
    payment = await place(site, order(site, tenant))
    async with shopping(chromium, shop) as page:
        frame = await open_checkout(page, site, payment.link_id, "overlay")
        await heard(page, "payment_page_opened")
        if way == "button":
            await frame.get_by_role("button", name="Close payment").click()
        else:
            await frame.locator("#number").press("Escape")
        assert await heard(page, "closed") == [*OPENING, "closed"]
        await page.wait_for_selector("#dodo-checkout-iframe", state="detached")
    assert await reload(site, payment) == payment


async def test_the_inline_frame_is_as_high_as_its_page(
    site: Runtime, tenant: Tenant, shop: Shop, chromium: Browser
) -> None:
    payment = await place(site, order(site, tenant, [line(number, 100, 0, 0) for number in range(12)]))
    async with shopping(chromium, shop) as page:
        frame = await open_checkout(page, site, payment.link_id, "inline")
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
    site: Runtime, tenant: Tenant, shop: Shop, chromium: Browser, clock: FakeClock
) -> None:
    await allow(site, tenant, SHOP)
    clock.advance(seconds=5)
    payment = await place(site, order(site, tenant))
    with pytest.raises(AssertionError, match="frame-ancestors"):
        async with shopping(chromium, shop) as page:
            frame = await open_checkout(page, site, payment.link_id, "overlay")
            await page.wait_for_event("console", lambda message: "frame-ancestors" in message.text)
            assert await frame.locator("#number").count() == 0
            assert await page.evaluate("sessionStorage.events") == "[]"
