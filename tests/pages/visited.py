"""A seller's pages in every state, for tests that visit them all."""

from collections.abc import Awaitable, Callable
from html.parser import HTMLParser
from typing import Any

import httpx

from harness import FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment import Payment
from nicobar.flows.runtime import Runtime
from orders import order, pay, place, token_of

SHOP = "https://shop.example"

HEADERS = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}

POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "form-action": "'self'",
}

Show = Callable[[], Awaitable[httpx.Response]]


class Site:
    """A seller's pages in every state."""

    def __init__(self, runtime: Runtime, tenant: Tenant, browser: httpx.AsyncClient, clock: FakeClock) -> None:
        self.runtime, self.tenant, self.browser, self.clock = runtime, tenant, browser, clock

    async def place(self, **changes: Any) -> Payment:
        return await place(self.runtime, order(self.runtime, self.tenant, **changes))

    async def payable(self) -> httpx.Response:
        return await self.browser.get(f"/{(await self.place()).link_id}")

    async def incomplete(self) -> httpx.Response:
        payment = await self.place(billing=Address("US"), options={"require_phone_number": True})
        return await self.browser.get(f"/{payment.link_id}")

    async def mistaken(self) -> httpx.Response:
        return await pay(self.browser, f"/{(await self.place()).link_id}", number="1", cvc="")

    async def declined(self) -> httpx.Response:
        payment = await self.place(options={"return_url": f"{SHOP}/thanks"})
        await pay(self.browser, f"/{payment.link_id}", number="4000000000000002")
        return await self.browser.get(f"/{payment.link_id}")

    async def action(self) -> httpx.Response:
        payment = await self.place()
        await pay(self.browser, f"/{payment.link_id}", number="4000002500003155")
        return await self.browser.get(f"/{payment.link_id}")

    async def challenge(self) -> httpx.Response:
        payment = await self.place()
        answer = await pay(self.browser, f"/{payment.link_id}", number="4000002500003155")
        return await self.browser.get(answer.headers["location"])

    async def processing(self) -> httpx.Response:
        payment = await self.place()
        token = token_of(await self.browser.get(f"/{payment.link_id}"))
        await self.browser.post(f"/{payment.link_id}", data={"token": token, "panel": "lose_answer"})
        return await self.browser.get(f"/{payment.link_id}")

    async def receipt(self) -> httpx.Response:
        payment = await self.place(options={"return_url": f"{SHOP}/thanks"})
        await pay(self.browser, f"/{payment.link_id}")
        return await self.browser.get(f"/{payment.link_id}")

    async def expired(self) -> httpx.Response:
        payment = await self.place()
        self.clock.advance(hours=24)
        return await self.browser.get(f"/{payment.link_id}")

    async def cancelled(self) -> httpx.Response:
        return await self.browser.get(f"/{(await self.place(status='cancelled')).link_id}")

    async def live(self) -> httpx.Response:
        payment = await place(self.runtime, order(self.runtime, Tenant(self.tenant.business_id, "live")))
        return await self.browser.get(f"/{payment.link_id}")

    async def unknown(self) -> httpx.Response:
        return await self.browser.get("/AAAAAAAA")

    async def unknown_challenge(self) -> httpx.Response:
        return await self.browser.get("/simulator/challenge/sim_unknown")

    async def unknown_decision(self) -> httpx.Response:
        return await self.browser.get("/simulator/pay/sim_unknown")

    async def forbidden(self) -> httpx.Response:
        return await self.browser.post(f"/{(await self.place()).link_id}", data={"token": "1.2"})

    async def unreadable(self) -> httpx.Response:
        return await self.browser.post(f"/{(await self.place()).link_id}", json={})

    async def overlay(self) -> httpx.Response:
        return await self.browser.get(f"/overlay/{(await self.place()).link_id}")

    async def broken(self) -> httpx.Response:
        return await self.browser.get("/return/pay_000000000000000000000")


STATES = [name for name in vars(Site) if not name.startswith("_") and name != "place"]


class Elements(HTMLParser):
    """Every start tag of a page with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
