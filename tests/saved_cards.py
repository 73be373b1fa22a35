"""A merchant whose customers save cards: everything over HTTP, as merchants and browsers do it."""

from typing import Any, NamedTuple

import httpx
from starlette.types import ASGIApp

from harness import Merchant, client_for
from nicobar.flows.runtime import Runtime
from orders import pay

CONSENT = {"save": "yes"}


class Shop(NamedTuple):
    """A merchant, its product of 24 dollars, its customer, and a browser for the payment page."""

    merchant: Merchant
    browser: httpx.AsyncClient
    product_id: str
    customer_id: str

    async def create(self, **changes: Any) -> dict[str, Any]:
        """Create a payment and return the answer."""
        body = {
            "billing": {"country": "US"},
            "customer": {"customer_id": self.customer_id},
            "product_cart": [{"product_id": self.product_id, "quantity": 1}],
        }
        response = await self.merchant.client.post("/payments", json=body | changes)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def read(self, payment_id: str) -> dict[str, Any]:
        """Return the payment."""
        payment: dict[str, Any] = (await self.merchant.client.get(f"/payments/{payment_id}")).json()
        return payment

    async def sell(self, order: dict[str, Any] | None = None, /, **fields: str) -> dict[str, Any]:
        """Let the customer pay a new link by card, through a challenge if there is one; return the payment."""
        made = await self.create(payment_link=True, **(order or {}))
        path = "/" + made["payment_link"].rpartition("/")[2]
        answer = await pay(self.browser, path, **fields)
        assert answer.status_code == 303, answer.text
        if "/simulator/challenge/" in answer.headers["location"]:
            await self.browser.post(answer.headers["location"], data={"answer": "confirm"})
        await self.browser.get(path)
        return await self.read(made["payment_id"])

    async def saved(self) -> list[dict[str, Any]]:
        """Return the customer's saved methods."""
        response = await self.merchant.client.get(f"/customers/{self.customer_id}/payment-methods")
        assert response.status_code == 200, response.text
        items: list[dict[str, Any]] = response.json()["items"]
        assert response.json() == {"items": items}
        return items

    async def charge(self, payment_method_id: str, **changes: Any) -> dict[str, Any]:
        """Charge a saved method at once; return the payment."""
        made = await self.create(payment_method_id=payment_method_id, **changes)
        assert (made["payment_link"], made["expires_on"]) == (None, None)
        return await self.read(made["payment_id"])


async def open_shop(merchant: Merchant, app: ASGIApp, email: str = "ana@example.com") -> Shop:
    price = {"type": "one_time_price", "currency": "USD", "price": 2400}
    product = {"name": "Field Guide", "tax_category": "e_book", "price": price}
    made = (await merchant.client.post("/products", json=product)).json()
    person = (await merchant.client.post("/customers", json={"email": email, "name": "Ana"})).json()
    return Shop(merchant, client_for(app), made["product_id"], person["customer_id"])


async def counted(runtime: Runtime, table: str) -> int:
    """Return how many rows a table has."""
    async with runtime.database.read() as read:
        count: int = await read.fetchval(f"SELECT count(*) FROM {table}")
    return count
