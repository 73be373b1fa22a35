"""What is sold or who buys can go in the very moment of a purchase, where a test mode is emptied: that is no bug."""

import asyncio
from collections.abc import Awaitable

import httpx

from api.subscriptions.subscribing import Club, open_session
from pages.session.filling import send

KIM = {"email": "kim@example.com", "name": "Kim Park"}
ONCE = {"type": "one_time_price", "currency": "USD", "price": 1000}
PLACE = {"country": "DE", "street": "Torstr. 1", "zipcode": "10119", "city": "Berlin"}


async def _while_kim_goes(club: Club, asking: Awaitable[httpx.Response], customer_id: str) -> httpx.Response:
    """Return the answer to a request that waits for the customer, whose deletion is committed then."""
    async with club.runtime.database.transaction() as tx:
        await tx.execute("DELETE FROM customers WHERE customer_id = $1", customer_id)
        asked = asyncio.ensure_future(asking)
        async with club.runtime.database.read() as watching:
            blocked = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid)))"
            while not asked.done() and not await watching.fetchval(blocked, tx.get_server_pid()):
                await asyncio.sleep(0.01)
    return await asked


async def test_a_payment_is_refused_once_with_503_and_then_with_404(club: Club) -> None:
    customer_id = (await club.call("POST", "/customers", KIM))["customer_id"]
    guide = {"name": "Guide", "tax_category": "e_book", "price": ONCE}
    product_id = (await club.call("POST", "/products", guide))["product_id"]
    body = {
        "customer": {"customer_id": customer_id},
        "product_cart": [{"product_id": product_id, "quantity": 1}],
        "billing": {"country": "DE"},
    }
    answer = await _while_kim_goes(club, club.merchant.client.post("/payments", json=body), customer_id)
    assert (answer.status_code, answer.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert await club.counted("payments") == 0
    again = await club.merchant.client.post("/payments", json=body)
    assert (again.status_code, again.json()["code"]) == (404, "NOT_FOUND")


async def test_a_page_says_try_again(club: Club) -> None:
    customer_id = (await club.call("POST", "/customers", KIM))["customer_id"]
    items = {"product_id": await club.product(), "quantity": 1}
    page = await open_session(club, items, billing_address=PLACE, customer={"customer_id": customer_id})
    answer = await _while_kim_goes(club, send(club.browser, page), customer_id)
    assert answer.status_code == 503
    assert "We are having a short break" in answer.text
    assert await club.counted("payments") == 0
    assert await club.counted("subscriptions") == 0
