"""A merchant that sells subscriptions: over HTTP as merchants and browsers do it, with the worker in between."""

import json
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.types import ASGIApp

from due_work import run_due
from harness import START, FakeClock, Merchant, client_for
from nicobar.flows.runtime import Runtime
from nicobar.program.books_audit import audit_books
from orders import pay

GOOD_CARD = "4242424242424242"
RENEWALS_FAIL = "4000000000000341"

PRICE = {
    "type": "recurring_price",
    "currency": "USD",
    "price": 3000,
    "payment_frequency_count": 1,
    "payment_frequency_interval": "Month",
    "subscription_period_count": 20,
    "subscription_period_interval": "Year",
}


@dataclass
class Club:
    """A merchant with subscribers."""

    merchant: Merchant
    browser: httpx.AsyncClient
    runtime: Runtime
    clock: FakeClock

    async def call(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        """Ask the API, and return what it answered."""
        response = await self.merchant.client.request(method, path, json=body)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    async def product(self, **price: Any) -> str:
        """Create a product with a recurring price of 30 dollars a month; return its id."""
        body = {"name": "Club", "tax_category": "saas", "price": PRICE | price}
        made: str = (await self.call("POST", "/products", body))["product_id"]
        return made

    async def small_product(self, price: int, **more: Any) -> str:
        """Create a product whose own discount leaves less than the smallest charge of a cycle; return its id."""
        return await self.product(price=1000, discount_bps=10_000 - 10 * price, **more)

    async def request(self, product_id: str, **changes: Any) -> dict[str, Any]:
        """Ask for a subscription; return the answer."""
        body = {
            "billing": {"country": "US"},
            "customer": {"email": "ana@example.com", "name": "Ana"},
            "product_id": product_id,
            "quantity": 1,
            "payment_link": True,
        }
        answer: dict[str, Any] = await self.call("POST", "/subscriptions", body | changes)
        return answer

    async def pay(self, made: dict[str, Any], number: str = GOOD_CARD) -> None:
        """Let the customer pay the first payment on its page."""
        path = "/" + made["payment_link"].rpartition("/")[2]
        answer = await pay(self.browser, path, number=number)
        assert answer.status_code == 303, answer.text

    async def subscribe(self, product_id: str | None = None, number: str = GOOD_CARD, **changes: Any) -> dict[str, Any]:
        """Start a subscription that its customer pays; return it."""
        made = await self.request(product_id or await self.product(), **changes)
        await self.pay(made, number)
        return await self.read(made["subscription_id"])

    async def read(self, subscription_id: str) -> dict[str, Any]:
        """Return the subscription."""
        found: dict[str, Any] = await self.call("GET", f"/subscriptions/{subscription_id}")
        return found

    async def payments(self, subscription_id: str) -> list[dict[str, Any]]:
        """Return the payments of the subscription, the oldest first."""
        listed = await self.call("GET", f"/payments?subscription_id={subscription_id}&page_size=100")
        return [await self.call("GET", f"/payments/{each['payment_id']}") for each in reversed(listed["items"])]

    async def told(self) -> list[str]:
        """Return the types of all events so far, the oldest first."""
        async with self.runtime.database.read() as read:
            rows = await read.fetch("SELECT type FROM events ORDER BY number")
        return [row["type"] for row in rows]

    async def bodies(self, type: str) -> list[dict[str, Any]]:
        """Return the data of all events of a type."""
        async with self.runtime.database.read() as read:
            rows = await read.fetch("SELECT payload::text AS body FROM events WHERE type = $1 ORDER BY number", type)
        return [json.loads(row["body"])["data"] for row in rows]

    async def work(self, **duration: float) -> None:
        """Let time pass, and the worker do what is due until nothing is."""
        self.clock.advance(**duration)
        while await run_due(self.runtime):
            pass

    async def books_agree(self) -> None:
        """Ensure that the audit of the books finds nothing."""
        async with self.runtime.database.read() as read:
            findings = await audit_books(read, self.clock.now(), START)
        assert [found for found in findings if found.good is False] == []

    async def counted(self, table: str) -> int:
        """Return how many rows a table has."""
        async with self.runtime.database.read() as read:
            count: int = await read.fetchval(f"SELECT count(*) FROM {table}")
        return count


def open_club(merchant: Merchant, app: ASGIApp, runtime: Runtime, clock: FakeClock) -> Club:
    return Club(merchant, client_for(app), runtime, clock)


async def plan(club: Club, price: int, **changes: Any) -> str:
    """Create a product with cycles of 30 days; return its id."""
    frequency = {"payment_frequency_count": 30, "payment_frequency_interval": "Day"}
    return await club.product(price=price, **(frequency | changes))


async def halfway(club: Club, price: int = 3000, number: str = GOOD_CARD, **changes: Any) -> dict[str, Any]:
    """Return a subscription in a cycle of 30 days of which half is left."""
    own = await club.subscribe(await plan(club, price), number, **changes)
    club.clock.advance(days=15)
    return own


async def addon_of(club: Club, *products: str, price: int = 500) -> str:
    """Create an add-on that can be bought with products; return its id."""
    body = {"name": "Seat", "price": price, "currency": "USD", "tax_category": "saas"}
    addon_id: str = (await club.call("POST", "/addons", body))["id"]
    for product in products:
        await club.call("PATCH", f"/products/{product}", {"addons": [addon_id]})
    return addon_id


async def open_session(club: Club, *items: dict[str, Any], language: str = "en", **fields: Any) -> httpx.Response:
    """Create a session and return its page."""
    created = await club.call("POST", "/checkouts", {"product_cart": list(items)} | fields)
    return await club.browser.get(created["checkout_url"], params={"lang": language})
