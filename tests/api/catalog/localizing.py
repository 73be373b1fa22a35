"""Localized prices for tests: a product that has them, and what the API and the table say of them."""

from typing import Any, get_args

import httpx

from api.answers import answered
from harness import Merchant
from nicobar.flows.runtime import Runtime
from nicobar.wire.codes import CountryCode, CurrencyCode

CURRENCIES, COUNTRIES = (", ".join(sorted(get_args(codes))) for codes in (CurrencyCode, CountryCode))
WRONG = "Your request body is invalid. Invalid enum value"
INDIA: dict[str, Any] = {"amount": 99_900, "currency": "INR", "country_code": "IN"}
EUROS: dict[str, Any] = {"amount": 999, "currency": "EUR"}


async def product(merchant: Merchant, mode: str | None = "by_country", **price: Any) -> str:
    body = {
        "name": "Field Guide",
        "tax_category": "e_book",
        "price": {"type": "one_time_price", "currency": "USD", "price": 1999} | price,
        "pricing_mode": mode,
    }
    response = await merchant.client.post("/products", json=body)
    assert response.status_code == 200, response.text
    product_id: str = response.json()["product_id"]
    return product_id


async def change_product(merchant: Merchant, product_id: str, **changes: Any) -> None:
    response = await merchant.client.patch(f"/products/{product_id}", json=changes)
    assert response.status_code == 200, response.text


async def post(merchant: Merchant, product_id: str, body: dict[str, Any]) -> httpx.Response:
    return await merchant.client.post(f"/products/{product_id}/localized-prices", json=body)


async def create(merchant: Merchant, product_id: str, body: dict[str, Any]) -> dict[str, Any]:
    return answered(await post(merchant, product_id, body))


def address(price: dict[str, Any]) -> str:
    return f"/products/{price['product_id']}/localized-prices/{price['id']}"


async def read(merchant: Merchant, price: dict[str, Any]) -> dict[str, Any]:
    return answered(await merchant.client.get(address(price)))


async def listed(merchant: Merchant, product_id: str) -> list[dict[str, Any]]:
    response = await merchant.client.get(f"/products/{product_id}/localized-prices")
    assert response.status_code == 200, response.text
    body = response.json()
    assert list(body) == ["items"]
    items: list[dict[str, Any]] = body["items"]
    return items


async def stored(runtime: Runtime, product_id: str) -> list[tuple[str, bool]]:
    """Return the market of every row and whether it is archived."""
    async with runtime.database.read() as connection:
        rows = await connection.fetch(
            "SELECT coalesce(country_code, currency) AS market, archived_at IS NOT NULL AS archived"
            " FROM localized_prices WHERE product_id = $1 ORDER BY localized_price_id",
            product_id,
        )
    return [(row["market"], row["archived"]) for row in rows]
