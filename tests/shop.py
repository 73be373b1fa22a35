"""A shop for tests of amounts: its products, codes, settings and rates, and orders that are checked from all sides."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
from starlette.types import ASGIApp

from harness import FakeClock, Merchant, client_for
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.rates.import_rates import import_rates
from nicobar.flows.runtime import Runtime
from nicobar.flows.tax.import_tax_rates import import_tax_rates
from orders import dump, pay

EXAMPLE_RATES = {
    "EUR": "0.92",
    "GBP": "0.79",
    "INR": "83.20",
    "CAD": "1.37",
    "JPY": "149.37",
    "KWD": "0.3071",
}
"""The rates of the contract's worked examples: units of a currency for one US dollar."""


class Bought(NamedTuple):
    """Everything that the API tells about one order."""

    created: dict[str, Any]
    payment: dict[str, Any]
    lines: list[dict[str, Any]]
    """Line items in the currency that the customer pays."""
    settled: list[dict[str, Any]]
    """Line items in the settlement currency."""
    explanation: dict[str, Any]
    preview: dict[str, Any] | None
    """None for a cart that is too long to preview."""

    @property
    def amounts(self) -> tuple[int, int, int, int]:
        """Subtotal, discount, tax and total."""
        told = self.explanation
        return told["subtotal"], told["discount"], told["tax"], self.created["total_amount"]

    @property
    def settlement(self) -> tuple[int, int, str]:
        """Settlement amount, settlement tax and their currency."""
        read = self.payment
        return read["settlement_amount"], read["settlement_tax"], read["settlement_currency"]

    def step(self, what: str, line: int | None = 0) -> dict[str, Any]:
        """Return the only step of this kind on a line; None is the whole cart."""
        (found,) = [step for step in self.explanation["steps"] if (step["what"], step["line"]) == (what, line)]
        step: dict[str, Any] = found
        return step


class Shop:
    """One merchant's test mode."""

    def __init__(self, runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> None:
        self.runtime = runtime
        self.clock = clock
        self.merchant = merchant
        self.client = merchant.client
        self.browser = client_for(app)
        """A customer without a key."""

    async def settings(self, **texts: str) -> None:
        """Change settings and wait until they are in force."""
        for name, text in texts.items():
            await change_setting(self.runtime, self.merchant.tenant, name, text)
        self.clock.advance(seconds=5)

    async def rates(self, units: Mapping[str, str]) -> None:
        """Import units for one US dollar and wait until they are in force."""
        lines = ["code,units_per_usd", *(f"{code},{text}" for code, text in units.items())]
        data = "\n".join(lines).encode()
        await import_rates(self.runtime, data, "example", force=True, fixed_too=True)
        self.clock.advance(seconds=5)

    async def taxes(self, text: str) -> None:
        """Import a tax table and wait until it is in force."""
        await import_tax_rates(self.runtime, self.merchant.tenant, text, "rates.csv")
        self.clock.advance(seconds=5)

    async def product(self, price: int = 2000, currency: str = "USD", **more: Any) -> str:
        """Create a product; fields that are not its own belong to its price."""
        own = {"tax_category", "brand_id", "pricing_mode"} & set(more)
        body = {"name": "Field Guide", "tax_category": "digital_products"} | {name: more.pop(name) for name in own}
        body["price"] = {"type": "one_time_price", "currency": currency, "price": price} | more
        response = await self.client.post("/products", json=body)
        assert response.status_code == 200, response.text
        product_id: str = response.json()["product_id"]
        return product_id

    async def localized_price(self, product_id: str, amount: int, currency: str, country: str | None = None) -> None:
        body = {"amount": amount, "currency": currency, "country_code": country}
        response = await self.client.post(f"/products/{product_id}/localized-prices", json=body)
        assert response.status_code == 200, response.text

    async def percentage(self, code: str, bps: int, **more: Any) -> str:
        return await self._discount({"code": code, "type": "percentage", "amount": bps} | more)

    async def flat(self, code: str, amount: int, currency: str = "USD", **more: Any) -> str:
        row = {"currency": currency, "max_amount_possible": amount}
        return await self._discount({"code": code, "type": "flat", "amount": 1, "currency_options": [row]} | more)

    async def _discount(self, body: dict[str, Any]) -> str:
        response = await self.client.post("/discounts", json=body)
        assert response.status_code == 200, response.text
        discount_id: str = response.json()["discount_id"]
        return discount_id

    async def customer(self, email: str) -> str:
        response = await self.client.post("/customers", json={"email": email, "name": "Ana"})
        assert response.status_code == 200, response.text
        customer_id: str = response.json()["customer_id"]
        return customer_id

    async def uses(self, discount_id: str) -> tuple[int, int]:
        """Return how often a code was used, as the API tells it, and how often it is reserved."""
        response = await self.client.get(f"/discounts/{discount_id}")
        async with self.runtime.database.read() as read:
            query = "SELECT times_reserved FROM discounts WHERE discount_id = $1"
            reserved: int = await read.fetchval(query, discount_id)
        return response.json()["times_used"], reserved

    async def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Create a payment, and nothing else."""
        response = await self.client.post("/payments", json=request)
        assert response.status_code == 200, response.text
        created: dict[str, Any] = response.json()
        return created

    async def read(self, path: str, **query: str) -> dict[str, Any]:
        response = await self.client.get(path, params=query)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def preview(self, request: dict[str, Any]) -> httpx.Response:
        """Preview the order that POST /payments would take."""
        body = {name: value for name, value in request.items() if name not in ("billing", "payment_link")}
        return await self.client.post("/checkouts/preview", json=body | {"billing_address": request["billing"]})

    async def buy(self, *items: dict[str, Any], country: str = "DE", **fields: Any) -> Bought:
        """Preview, create and read an order, and check that everything told about it agrees."""
        request = order_request(*items, country=country, **fields)
        preview = None
        if len(items) <= 20:
            response = await self.preview(request)
            assert response.status_code == 200, response.text
            preview = response.json()
        created = await self.create(request)
        path = f"/payments/{created['payment_id']}"
        payment = await self.read(path)
        lines = (await self.read(f"{path}/line-items", currency=payment["currency"]))["items"]
        settled = (await self.read(f"{path}/line-items"))["items"]
        bought = Bought(created, payment, lines, settled, await self.read(f"{path}/explain"), preview)
        check_agreement(bought)
        return bought

    async def purchase(self, product_id: str, **fields: Any) -> dict[str, Any]:
        """Create a payment with a link and pay it on the hosted page."""
        created = await self.create(order_request(item(product_id), payment_link=True, **fields))
        await pay(self.browser, created["payment_link"])
        assert (await self.read(f"/payments/{created['payment_id']}"))["status"] == "succeeded"
        return created

    async def refusal(self, *items: dict[str, Any], country: str = "DE", **fields: Any) -> tuple[int, str, str]:
        """Create what is refused and return status, code and message; nothing may change by it."""
        before = await dump(self.runtime)
        response = await self.client.post("/payments", json=order_request(*items, country=country, **fields))
        assert response.status_code >= 400, response.text
        assert await dump(self.runtime) == before
        assert response.headers["x-should-retry"] == "false"
        return response.status_code, response.json()["code"], response.json()["message"]


def item(product_id: str, quantity: int = 1, amount: int | None = None) -> dict[str, Any]:
    return {"product_id": product_id, "quantity": quantity} | ({} if amount is None else {"amount": amount})


def order_request(*items: dict[str, Any], country: str = "DE", **fields: Any) -> dict[str, Any]:
    """Return the body of POST /payments."""
    least = {"billing": {"country": country}, "customer": {"email": "ana@example.com"}, "product_cart": list(items)}
    return least | fields


def check_agreement(bought: Bought) -> None:
    """Hold the answers about one order against each other."""
    created, payment, lines, settled, told, preview = bought
    total, steps = created["total_amount"], told["steps"]
    assert payment["total_amount"] == told["total_amount"] == total == sum(line["refundable_amount"] for line in lines)
    assert told["subtotal"] - told["discount"] + told["tax"] == total
    assert payment["tax"] == told["tax"] == sum(line["tax"] for line in lines)
    assert sum(line["refundable_amount"] for line in settled) == payment["settlement_amount"]
    assert sum(line["tax"] for line in settled) == payment["settlement_tax"]
    assert told["recomputed"] is True
    assert sum(step["contribution"] for step in steps) == total
    for name in ("currency", "settlement_currency", "settlement_amount", "settlement_tax"):
        assert told[name] == payment[name]
    if preview is not None:
        breakup = {"subtotal": told["subtotal"], "discount": told["discount"], "tax": told["tax"]}
        assert preview["current_breakup"] == breakup | {"total_amount": total}
        assert (preview["total_price"], preview["total_tax"], preview["currency"]) == (
            total,
            told["tax"],
            payment["currency"],
        )
        assert [line["tax"] for line in preview["product_cart"]] == [line["tax"] for line in lines]


def told(bought: Bought) -> tuple[str, int]:
    """Return the currency and the total that a shop is told at once."""
    return bought.payment["currency"], bought.created["total_amount"]
