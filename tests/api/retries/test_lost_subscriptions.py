"""The official SDK behind a proxy that loses answers: each wish for a subscription makes one, which is charged once."""

import asyncio
from typing import Any

import httpx
import pytest
from dodopayments import DodoPayments

from api.retries.losing_proxy import LOSSES, LosingProxy
from api.subscriptions.subscribing import PRICE
from harness import Server
from orders import pay

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

TRIES = 10
PATIENCE = 5.0
"""Seconds that a client waits for an answer: more than the server ever needs, because a third loss is an error."""


async def member(server: Server) -> tuple[str, str, str]:
    """Return a product, and a customer with a saved card."""
    headers = {"authorization": f"Bearer {server.key}"}
    async with httpx.AsyncClient(base_url=server.base_url, headers=headers) as client:
        product = {"name": "Club", "tax_category": "saas", "price": PRICE}
        product_id = (await client.post("/products", json=product)).json()["product_id"]
        body = {"billing": {"country": "US"}, "customer": {"email": "ana@example.com", "name": "Ana"}}
        plan = {"product_id": product_id, "quantity": 1, "payment_link": True}
        made = (await client.post("/subscriptions", json=body | plan)).json()
        async with httpx.AsyncClient(headers={"accept": "text/html"}) as browser:
            assert (await pay(browser, made["payment_link"])).status_code == 303
        own = (await client.get(f"/subscriptions/{made['subscription_id']}")).json()
    return product_id, own["customer"]["customer_id"], own["payment_method_id"]


@pytest.mark.parametrize("keyed", [False, True], ids=["without-a-key", "with-a-key"])
async def test_a_lost_answer_makes_one_subscription(server: Server, proxy: LosingProxy, keyed: bool) -> None:
    product_id, customer_id, payment_method_id = await member(server)

    def subscribe(number: int) -> str:
        headers = {"Idempotency-Key": f"order-{number}"} if keyed else {}
        base_url = f"http://127.0.0.1:{proxy.port}"
        with DodoPayments(
            bearer_token=server.key, base_url=base_url, timeout=PATIENCE, _strict_response_validation=True
        ) as client:
            made = client.subscriptions.create(
                billing={"country": "US"},
                customer={"customer_id": customer_id},
                product_id=product_id,
                quantity=number,
                payment_method_id=payment_method_id,
                extra_headers=headers,
            )
        return made.subscription_id

    wanted = range(2, TRIES + 2)
    made = await asyncio.gather(*(asyncio.to_thread(subscribe, number) for number in wanted))
    assert sum(proxy.lost.values()) >= TRIES and len(proxy.lost) >= len(LOSSES) - 1
    assert proxy.answered["replayed"] > 0
    headers = {"authorization": f"Bearer {server.key}"}
    async with httpx.AsyncClient(base_url=server.base_url, headers=headers) as client:
        listed: list[dict[str, Any]] = (await client.get("/subscriptions?page_size=100")).json()["items"]
        assert {each["subscription_id"]: each["quantity"] for each in listed if each["quantity"] > 1} == dict(
            zip(made, wanted, strict=True)
        )
        assert len(listed) == TRIES + 1
        for each in listed:
            path = f"/payments?subscription_id={each['subscription_id']}"
            (payment,) = (await client.get(path)).json()["items"]
            assert (payment["status"], payment["total_amount"]) == ("succeeded", 3000 * each["quantity"])
