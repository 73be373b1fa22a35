"""A shop and its customers over HTTP, who write down what they were told: what was answered with 200 must be true."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from orders import token_of

PAYS = "4242424242424242"
DECLINES = "4000000000000002"
CHALLENGES = "4000002500003155"

REFUSED_CONNECTIONS = (httpx.TransportError,)
"""What a client sees of a server that has just died."""


@dataclass
class Journal:
    """What clients were told by complete answers."""

    payments: dict[str, int] = field(default_factory=dict)
    """Payment id -> total in minor units, as POST /payments answered."""
    statuses: dict[str, str] = field(default_factory=dict)
    """Payment id -> a final status that GET /payments/{id} answered."""
    refunds: dict[str, int] = field(default_factory=dict)
    """Refund id -> amount in minor units, as POST /refunds answered."""
    answers: int = 0
    """Requests that were answered in full."""
    interrupted: int = 0
    """Requests that got no complete answer: nothing follows from them."""
    unavailable: int = 0
    """Requests that were answered with 503, which says that nothing was done."""
    errors: list[str] = field(default_factory=list)
    """Answers that nobody should get: status 500, or a body that is no envelope."""


class Shop:
    """One seller's application, and its customers' browsers."""

    def __init__(self, base_url: str, key: str, journal: Journal, source: str = "127.0.0.1") -> None:
        self.base_url = base_url
        self.journal = journal
        transport = httpx.AsyncHTTPTransport(local_address=source, retries=0)
        self._http = httpx.AsyncClient(transport=transport, base_url=base_url, timeout=30)
        self._headers = {"authorization": f"Bearer {key}"}

    async def __aenter__(self) -> "Shop":
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._http.aclose()

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        """Send a request; None when there was no complete answer, or the one that says that nothing was done."""
        try:
            answer = await self._http.request(method, path, **options)
        except REFUSED_CONNECTIONS:
            self.journal.interrupted += 1
            return None
        self.journal.answers += 1
        if answer.status_code == 503:
            self.journal.unavailable += 1
            return None
        if answer.status_code >= 500:
            self.journal.errors.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
            return None
        return answer

    async def product(self, price: int = 1900) -> str:
        """Make a product and return its id."""
        body = {
            "name": "Field guide",
            "tax_category": "e_book",
            "price": {"type": "one_time_price", "currency": "USD", "price": price},
        }
        answer = await self._send("POST", "/products", json=body, headers=self._headers)
        assert answer is not None and answer.status_code == 200, answer
        product_id: str = answer.json()["product_id"]
        return product_id

    async def create(
        self, product_id: str, quantity: int = 1, metadata: dict[str, str] | None = None
    ) -> dict[str, Any] | None:
        """Create a payment with a link."""
        body = {
            "billing": {"country": "US", "city": "New York", "state": "NY", "street": "5th Avenue", "zipcode": "10118"},
            "customer": {"email": "ana.lima@example.com", "name": "Ana Lima"},
            "product_cart": [{"product_id": product_id, "quantity": quantity}],
            "payment_link": True,
            "metadata": metadata or {},
        }
        answer = await self._send("POST", "/payments", json=body, headers=self._headers)
        if answer is None:
            return None
        assert answer.status_code == 200, answer.text
        created: dict[str, Any] = answer.json()
        self.journal.payments[created["payment_id"]] = created["total_amount"]
        return created

    async def pay(self, link: str, number: str = PAYS) -> httpx.Response | None:
        """Open the link as a browser does, and send its form."""
        path = httpx.URL(link).path
        page = await self._send("GET", path)
        if page is None or 'name="token"' not in page.text:
            return None
        form = {"number": number, "expiry": "06 / 32", "cvc": "123", "name": "Ana Lima", "token": token_of(page)}
        return await self._send("POST", path, data=form)

    async def answer_challenge(self, link: str, answer: str) -> httpx.Response | None:
        """Follow the page to the simulated bank, answer there, and come back."""
        path = httpx.URL(link).path
        page = await self._send("GET", path)
        if page is None or "/simulator/challenge/" not in page.text:
            return None
        reference = page.text.split("/simulator/challenge/")[1].split('"')[0]
        await self._send("POST", f"/simulator/challenge/{reference}", data={"answer": answer})
        return await self._send("GET", path)

    async def status(self, payment_id: str) -> str | None:
        """Ask for a payment, as an application does; a payment that is there never vanishes."""
        answer = await self._send("GET", f"/payments/{payment_id}", headers=self._headers)
        if answer is None:
            return None
        assert answer.status_code == 200, f"{payment_id} is gone: {answer.text}"
        status: str = answer.json()["status"]
        if status in ("succeeded", "cancelled"):
            self.journal.statuses[payment_id] = status
        return status

    async def refund(self, payment_id: str, items: Sequence[dict[str, Any]] | None = None) -> httpx.Response | None:
        """Refund what is left, or some items."""
        body: dict[str, Any] = {"payment_id": payment_id} | ({"items": list(items)} if items else {})
        answer = await self._send("POST", "/refunds", json=body, headers=self._headers)
        if answer is not None and answer.status_code == 200:
            self.journal.refunds[answer.json()["refund_id"]] = answer.json()["amount"]
        return answer


async def shop_at_random(shop: Shop, product_id: str, chance: random.Random, stop: asyncio.Event) -> None:
    """Buy, pay in all sorts of ways, ask and refund until told to stop."""
    while not stop.is_set():
        created = await shop.create(product_id, chance.randint(1, 3))
        if created is None:
            await asyncio.sleep(0.05)
            continue
        link, payment_id = created["payment_link"], created["payment_id"]
        match chance.choices(("pay", "twice", "challenge", "decline", "leave"), (60, 15, 10, 5, 10))[0]:
            case "pay":
                await shop.pay(link)
            case "twice":
                await asyncio.gather(shop.pay(link), shop.pay(link))
            case "challenge":
                await shop.pay(link, CHALLENGES)
                await shop.answer_challenge(link, "confirm")
            case "decline":
                await shop.pay(link, DECLINES)
                await shop.pay(link)
            case _:
                pass
        if await shop.status(payment_id) == "succeeded" and chance.random() < 0.4:
            amount = chance.choice((None, 700))
            await shop.refund(payment_id, None if amount is None else [{"item_id": product_id, "amount": amount}])
