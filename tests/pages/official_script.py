"""The official checkout script on a seller's page, in a browser: opening it, and what the page has heard."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from playwright.async_api import Browser, FrameLocator, Page, Route

from nicobar.flows.runtime import Runtime
from pages.browsing import visiting


class Shop(NamedTuple):
    """A seller's page on an origin of its own, which opens the payment with the script as it is published."""

    origin: str
    thanked: list[dict[str, str]]


class Tls(NamedTuple):
    """Where our server listens for the host that the script opens."""

    listening: socket.socket
    certificate: tuple[str, str]


EXPECTED = ("Failed to inject Dodo SDK", "Blocked autofocusing")
"""The script looks for a wallet that no server of ours has; a browser leaves focus in frames to our own script."""


@asynccontextmanager
async def shopping(chromium: Browser, shop: Shop, *tolerated: str) -> AsyncIterator[Page]:
    """The shop's page on a phone. What the browser complains about fails the test, apart from the wallet's script."""

    async def refuse(route: Route) -> None:
        await route.fulfill(status=204)

    phone: dict[str, Any] = {"viewport": {"width": 390, "height": 760}, "ignore_https_errors": True}
    async with visiting(chromium, tolerated=[*EXPECTED, *tolerated], **phone) as page:
        await page.route("https://*.hs.dodopayments.com/**", refuse)
        await page.goto(shop.origin)
        yield page


async def open_checkout(page: Page, runtime: Runtime, path: str | None, kind: str, **options: Any) -> FrameLocator:
    """Open a page with the script. Its events go to the tab's storage, which outlives a change of page."""
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
        [f"{runtime.public_url}/{path}", kind, options],
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
