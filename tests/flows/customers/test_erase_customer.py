"""Erasing a person: nothing of them is left in any table, and the books are as they were."""

import httpx
import pytest
from starlette.types import ASGIApp

from api.sessions.opening import create_session
from harness import FakeClock, Merchant, client_for
from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.problems import Problem
from nicobar.flows.customers.erase_customer import erase_customer
from nicobar.flows.runtime import Runtime
from nicobar.program.books_audit import audit_books
from orders import dump, order, pay, place
from saved_cards import CONSENT
from shop import Shop, item

PRODUCT = {
    "name": "A record",
    "price": {"type": "one_time_price", "currency": "USD", "price": 1000, "discount": 0},
    "tax_category": "digital_products",
}
VALUES = (
    "Zacharias",
    "zacharias@",
    "Quellenweg",
    "Wolkenheim",
    "98765",
    "555010",
    "Kartenmann",
    "greenhorn",
    "sorrow",
)


async def sell(client: httpx.AsyncClient, browser: httpx.AsyncClient, **changes: object) -> dict[str, str]:
    """Sell to the person with everything that can be told, and return the payment as it was created."""
    product_id = (await client.post("/products", json=PRODUCT)).json()["product_id"]
    body = {
        "billing": {"country": "DE", "state": "BY", "city": "Wolkenheim", "street": "Quellenweg 7", "zipcode": "98765"},
        "customer": {"email": "zacharias@example.com", "name": "Zacharias Z", "phone_number": "+4930555010"},
        "product_cart": [{"product_id": product_id, "quantity": 1}],
        "metadata": {"nickname": "greenhorn"},
        "return_url": "https://shop.example.com/?who=zacharias@example.com",
        "payment_link": True,
    }
    made: dict[str, str] = (await client.post("/payments", json=body | changes)).json()
    path = "/" + made["payment_link"].rpartition("/")[2]
    answer = await pay(browser, path, **{**CONSENT, "name": "Karl Kartenmann"})
    assert answer.status_code == 303
    return made


async def test_nothing_of_the_person_is_left_and_the_books_are_as_before(
    runtime: Runtime, app: ASGIApp, merchant: Merchant, clock: FakeClock
) -> None:
    async with client_for(app) as browser:
        made = await sell(merchant.client, browser)
        customer_id = (await merchant.client.get(f"/payments/{made['payment_id']}")).json()["customer"]["customer_id"]
        refund = {"payment_id": made["payment_id"], "reason": "sorrow", "metadata": {"who": "greenhorn"}}
        assert (await merchant.client.post("/refunds", json=refund)).status_code == 200
    await merchant.client.patch(f"/customers/{customer_id}", json={"metadata": {"nick": "greenhorn"}})
    place = {"return_url": "https://shop.example/greenhorn"}
    assert (
        await merchant.client.post(f"/customers/{customer_id}/customer-portal/session", params=place)
    ).status_code == 200
    before = await dump(runtime)
    assert [value for value in VALUES if value not in before] == []
    paid = (await merchant.client.get(f"/payments/{made['payment_id']}")).json()
    balances = (await merchant.client.get("/balances/ledger")).json()
    assert (await merchant.client.get(f"/customers/{customer_id}/payment-methods")).json()["items"]

    clock.advance(minutes=1)
    assert await erase_customer(runtime, merchant.tenant, customer_id) == (1, [])
    after = await dump(runtime)
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM portal_sessions") == 0
    assert [value for value in VALUES if value.lower() in after.lower()] == []

    shown = (await merchant.client.get(f"/payments/{made['payment_id']}")).json()
    changed = {name for name in shown if shown[name] != paid[name]}
    assert changed == {"customer", "billing", "metadata", "card_holder_name", "refunds"}
    assert shown["billing"] == {"country": "DE", "state": "BY", "city": None, "street": None, "zipcode": None}
    assert (shown["customer"]["name"], shown["customer"]["email"]) == (
        "Erased customer",
        f"{customer_id.lower()}@erased.invalid",
    )
    assert (await merchant.client.get("/balances/ledger")).json() == balances
    assert (await merchant.client.get(f"/customers/{customer_id}/payment-methods")).json()["items"] == []
    explained = await merchant.client.get(f"/payments/{made['payment_id']}/explain")
    assert explained.json()["recomputed"] is True
    async with runtime.database.read() as read:
        assert [found for found in await audit_books(read, clock.now()) if found.good is False] == []
        entry = await read.fetchrow("SELECT action, object_ids FROM audit_log ORDER BY entry_id DESC LIMIT 1")
    assert entry is not None
    assert tuple(entry) == ("customer.erase", [customer_id])
    again = await merchant.client.post("/customers", json={"email": "zacharias@example.com", "name": "Z"})
    assert again.json()["customer_id"] != customer_id


@pytest.mark.parametrize("mode", ["test", "live"])
async def test_others_and_the_other_mode_keep_theirs(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant, mode: Mode
) -> None:
    clients = {"test": merchant.client, "live": merchant.live_client, "other": other_merchant.client}
    body = {"email": "zacharias@example.com", "name": "Zacharias Z"}
    ids = {name: (await client.post("/customers", json=body)).json()["customer_id"] for name, client in clients.items()}
    tenant = Tenant(merchant.business_id, mode)
    for name in clients.keys() - {mode}:
        with pytest.raises(Problem) as caught:
            await erase_customer(runtime, tenant, ids[name])
        assert caught.value.code == "NOT_FOUND"
    assert await erase_customer(runtime, tenant, ids[mode]) == (0, [])
    names = {name: (await client.get(f"/customers/{ids[name]}")).json()["name"] for name, client in clients.items()}
    assert names == {name: "Erased customer" if name == mode else "Zacharias Z" for name in clients}


async def test_a_payment_that_is_not_over_is_in_the_way(runtime: Runtime, tenant: Tenant) -> None:
    payment = await place(runtime, order(runtime, tenant))
    before = await dump(runtime)
    with pytest.raises(Problem) as caught:
        await erase_customer(runtime, tenant, payment.customer.customer_id)
    assert caught.value.code == "UNSUPPORTED_ACTION"
    assert payment.payment_id in caught.value.message
    assert await dump(runtime) == before


async def test_sessions_go_with_the_person(
    runtime: Runtime, app: ASGIApp, merchant: Merchant, other_merchant: Merchant, clock: FakeClock
) -> None:
    """One that never came to a payment goes as a whole; of one with a payment the cart stays."""
    shop, others = Shop(runtime, app, clock, merchant), Shop(runtime, app, clock, other_merchant)
    product_id = await shop.product()
    person = {"email": "Zacharias@example.com", "name": "Zacharias Z", "phone_number": "+4930555010"}
    address = {"country": "DE", "state": "BY", "city": "Wolkenheim", "street": "Quellenweg 7", "zipcode": "98765"}
    urls = {"return_url": "https://shop.example.com/?greenhorn", "cancel_url": "https://shop.example.com/?sorrow"}
    told = {"customer": person, "billing_address": address, "metadata": {"who": "greenhorn"}} | urls
    paid = await create_session(shop, item(product_id), confirm=True, **told)
    customer_id = (await shop.read(f"/payments/{paid['payment_id']}"))["customer"]["customer_id"]
    left = [
        await create_session(shop, item(product_id), **told),
        await create_session(shop, item(product_id), customer={"customer_id": customer_id}),
    ]
    kept = await create_session(shop, item(product_id), customer={"email": "kim@example.com"})
    foreign = await create_session(others, item(await others.product()), customer={"email": "zacharias@example.com"})
    await pay(shop.browser, (await shop.read(f"/payments/{paid['payment_id']}"))["payment_link"])
    await erase_customer(runtime, merchant.tenant, customer_id)
    async with runtime.database.read() as read:
        rows = await read.fetch("SELECT session_id, request::text FROM checkout_sessions ORDER BY created_at")
    requests = {row["session_id"]: row["request"] for row in rows}
    assert set(requests) == {paid["session_id"], kept["session_id"], foreign["session_id"]}
    assert [value for value in VALUES if value.lower() in requests[paid["session_id"]].lower()] == []
    assert product_id in requests[paid["session_id"]]
    for session in left:
        assert (await merchant.client.get(f"/checkouts/{session['session_id']}")).status_code == 404
    status = await shop.read(f"/checkouts/{paid['session_id']}")
    assert (status["customer_name"], status["payment_status"]) == ("Erased customer", "succeeded")
