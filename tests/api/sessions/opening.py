"""Checkout sessions for tests: requests, and the official library's own types filled to the last field."""

from typing import Any

from api.answers import answered
from shop import Shop

ADDRESS = {"country": "DE", "state": "BE", "city": "Berlin", "street": "Torstr. 1", "zipcode": "10119"}
ANA = {"email": "ana@example.com", "name": "Ana Lima", "phone_number": "+4930555010"}


async def create_session(shop: Shop, *items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Create a session and return the answer."""
    return answered(await shop.client.post("/checkouts", json={"product_cart": list(items)} | fields))


async def session_rows(shop: Shop) -> int:
    """Return how many sessions are stored."""
    async with shop.runtime.database.read() as read:
        count: int = await read.fetchval("SELECT count(*) FROM checkout_sessions")
    return count
