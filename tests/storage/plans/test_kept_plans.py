"""What is asked all the time is planned a few times on each connection, and its plan kept.

PostgreSQL goes on planning a statement for each set of values as long as the plan for all of them looks more expensive,
which it does where it knows more of the values than of any: the length of an array.
"""

from typing import Any, Final

from due_work import run_due
from harness import PUBLIC_URL, VAULT, Databases, FakeClock, Merchant, make_merchant
from nicobar.app import create_app
from nicobar.flows.runtime import Runtime
from nicobar.processors.webhooks.webhooks import Webhooks
from orders import token_of, with_processors
from receiver import endpoint_at, receiving
from storage.plans.explained import never_analysed

ROUNDS: Final = 30

PLANNED_AT_MOST: Final = 6
"""PostgreSQL plans five times before it compares, and looks again where tables have grown since."""

CARD: Final = {"number": "4242424242424242", "expiry": "12 / 34", "cvc": "123", "name": "Ana Lima"}


async def trade(runtime: Runtime, merchant: Merchant, order: dict[str, Any]) -> None:
    """Do what is asked all the time: create, look, pay, tell."""
    client = merchant.client
    made = (await client.post("/payments", json=order)).json()
    link_id = made["payment_link"].rpartition("/")[2]
    token = token_of(await client.get(f"/{link_id}"))
    paid = await client.post(f"/{link_id}", data={"token": token} | CARD)
    assert paid.status_code == 303
    assert (await client.get(f"/payments/{made['payment_id']}")).json()["status"] == "succeeded"
    session = {"product_cart": order["product_cart"]}
    session_id = (await client.post("/checkouts", json=session)).json()["session_id"]
    assert (await client.get(f"/checkouts/{session_id}")).status_code == 200
    assert (await client.get("/payments?page_size=10")).status_code == 200
    assert await run_due(runtime) == 1


async def test_what_is_asked_all_the_time_keeps_its_plan(databases: Databases, clock: FakeClock) -> None:
    async with never_analysed(databases, "nicobar_kept_plans") as database, receiving() as receiver:
        webhooks = Webhooks(VAULT, clock, allow_private=True)
        runtime = with_processors(Runtime(database, clock, PUBLIC_URL, webhooks=webhooks, vault=VAULT))
        merchant = await make_merchant(runtime, create_app(runtime), "Dodo Records")
        await endpoint_at(runtime, merchant.tenant, receiver.url, ["payment.succeeded"])
        price = {"type": "one_time_price", "currency": "USD", "price": 1900}
        product = {"name": "Guide", "tax_category": "e_book", "price": price}
        product_id = (await merchant.client.post("/products", json=product)).json()["product_id"]
        order = {
            "billing": {"country": "US", "city": "Rye", "state": "NY", "street": "1 Elm", "zipcode": "10580"},
            "customer": {"email": "ana@example.com", "name": "Ana"},
            "product_cart": [{"product_id": product_id, "quantity": 1}],
            "payment_link": True,
        }
        for _ in range(ROUNDS):
            await trade(runtime, merchant, order)
        webhooks.close()
        async with database.read() as read:
            assert database.connections == (1, 0), "all of it was asked on one connection"
            rows = await read.fetch("SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements")
    often = {
        " ".join(row["statement"].split()): row["custom_plans"]
        for row in rows
        if row["generic_plans"] + row["custom_plans"] >= ROUNDS
    }
    assert len(often) > 15
    assert {statement: planned for statement, planned in often.items() if planned > PLANNED_AT_MOST} == {}
