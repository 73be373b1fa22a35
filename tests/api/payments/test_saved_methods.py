"""Saved cards over HTTP: kept with consent only, listed and deleted by their merchant, proved to be somebody's."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from dodopayments import AsyncDodoPayments
from dodopayments.types import Payment, PaymentListResponse
from dodopayments.types.customer_retrieve_payment_methods_response import Item, ItemCard
from starlette.types import ASGIApp

from harness import START, FakeClock, Merchant, Server
from nicobar.flows.runtime import Runtime
from orders import dump, pay
from saved_cards import CONSENT, Shop, counted, open_shop


@pytest_asyncio.fixture
async def shop(merchant: Merchant, app: ASGIApp) -> AsyncIterator[Shop]:
    shop = await open_shop(merchant, app)
    yield shop
    await shop.browser.aclose()


async def test_a_card_is_saved_with_consent_and_only_with_it(shop: Shop, clock: FakeClock) -> None:
    assert (await shop.sell())["payment_method_id"] is None
    assert await shop.saved() == []
    assert (await shop.sell(save="no"))["payment_method_id"] is None
    assert await shop.saved() == []
    clock.advance(minutes=5)
    paid = await shop.sell(**CONSENT, number="5555555555554444", expiry="11/29")
    assert await shop.saved() == [
        {
            "payment_method": "card",
            "payment_method_id": paid["payment_method_id"],
            "card": {
                "card_holder_name": "Ana Lima",
                "card_issuing_country": "US",
                "card_network": "mastercard",
                "card_type": "credit",
                "expiry_month": "11",
                "expiry_year": "2029",
                "last4_digits": "4444",
            },
            "last_used_at": (START + timedelta(minutes=5)).isoformat().replace("+00:00", "Z"),
            "payment_method_type": "credit",
            "recurring_enabled": True,
        }
    ]
    assert paid["payment_method_id"].startswith("pm_")
    assert len(paid["payment_method_id"]) == 24


async def test_a_declined_card_is_not_saved_and_the_next_try_asks_again(shop: Shop) -> None:
    made = await shop.create(payment_link=True)
    path = "/" + made["payment_link"].rpartition("/")[2]
    await pay(shop.browser, path, **CONSENT, number="4000000000000002")
    assert await shop.saved() == []
    await pay(shop.browser, path)
    assert (await shop.read(made["payment_id"]))["status"] == "succeeded"
    assert await shop.saved() == []


async def test_a_debit_card_is_saved_as_one(shop: Shop) -> None:
    await shop.sell(**CONSENT, number="4000056655665556")
    (method,) = await shop.saved()
    assert (method["payment_method_type"], method["card"]["card_type"]) == ("debit", "debit")


async def test_the_same_card_is_one_saved_method(shop: Shop, clock: FakeClock, runtime: Runtime) -> None:
    first = await shop.sell(**CONSENT)
    clock.advance(hours=1)
    again = await shop.sell(**CONSENT, expiry="01/35", name="Ana L. Lima")
    assert again["payment_method_id"] == first["payment_method_id"]
    (method,) = await shop.saved()
    assert method["last_used_at"] == clock.now().isoformat().replace("+00:00", "Z")
    assert (method["card"]["expiry_month"], method["card"]["expiry_year"]) == ("01", "2035")
    assert method["card"]["card_holder_name"] == "Ana L. Lima"
    assert await counted(runtime, "saved_methods") == 1


async def test_the_last_used_card_comes_first(shop: Shop, clock: FakeClock) -> None:
    older = await shop.sell(**CONSENT)
    clock.advance(hours=1)
    newer = await shop.sell(**CONSENT, number="5555555555554444")
    ids = [older["payment_method_id"], newer["payment_method_id"]]
    assert [method["payment_method_id"] for method in await shop.saved()] == ids[::-1]
    clock.advance(hours=1)
    await shop.charge(ids[0])
    assert [method["payment_method_id"] for method in await shop.saved()] == ids


async def test_one_card_of_two_customers_is_two_saved_methods(shop: Shop, merchant: Merchant, app: ASGIApp) -> None:
    other = await open_shop(merchant, app, "ben@example.com")
    first, second = await shop.sell(**CONSENT), await other.sell(**CONSENT)
    assert first["payment_method_id"] != second["payment_method_id"]
    for one, paid in ((shop, first), (other, second)):
        assert [method["payment_method_id"] for method in await one.saved()] == [paid["payment_method_id"]]
    await other.browser.aclose()


async def test_neither_number_nor_token_is_shown_and_no_number_stored(shop: Shop, runtime: Runtime) -> None:
    paid = await shop.sell(**CONSENT, number="5555555555554444")
    charged = await shop.charge(paid["payment_method_id"])
    async with runtime.database.read() as read:
        token = await read.fetchval("SELECT token FROM saved_methods")
    assert token.startswith("simcard_")
    shown = f"{paid}{charged}{await shop.saved()}"
    everything = await dump(runtime)
    assert token not in shown
    # Token and fingerprint of the saved method, and no copy in an attempt; the bank keeps its own.
    assert (await dump(runtime, ["public"])).count(token) == 2
    for hidden in ("5555555555554444", "5555 5555 5555 4444"):
        assert hidden not in shown + everything


async def test_a_saved_method_is_deleted_for_good(shop: Shop, runtime: Runtime) -> None:
    paid = await shop.sell(**CONSENT)
    path = f"/customers/{shop.customer_id}/payment-methods/{paid['payment_method_id']}"
    refused = await shop.merchant.read_only_client.delete(path)
    assert (refused.status_code, len(await shop.saved())) == (403, 1)
    for _ in range(2):
        gone = await shop.merchant.client.delete(path)
        assert (gone.status_code, gone.content) == (204, b"")
    assert await shop.saved() == []
    assert "simcard_" not in await dump(runtime, ["public"])  # the bank goes on knowing its card
    assert (await shop.read(paid["payment_id"]))["payment_method_id"] == paid["payment_method_id"]
    again = await shop.sell(**CONSENT)
    assert [method["payment_method_id"] for method in await shop.saved()] == [again["payment_method_id"]]
    assert again["payment_method_id"] != paid["payment_method_id"]


async def test_nobody_else_sees_deletes_or_charges_it(
    shop: Shop, merchant: Merchant, other_merchant: Merchant, app: ASGIApp, runtime: Runtime
) -> None:
    paid = await shop.sell(**CONSENT)
    method_id = paid["payment_method_id"]
    neighbour = await open_shop(merchant, app, "ben@example.com")
    stranger = await open_shop(other_merchant, app, "ana@example.com")
    mine = f"/customers/{shop.customer_id}/payment-methods"
    for client in (other_merchant.client, merchant.live_client):
        assert (await client.get(mine)).json() == {"code": "NOT_FOUND", "message": "Customer not found"}
        assert (await client.delete(f"{mine}/{method_id}")).status_code == 404
        assert (await client.post(f"/customers/{shop.customer_id}/proof")).status_code == 404
    for other in (neighbour, stranger):
        theirs = f"/customers/{other.customer_id}/payment-methods"
        assert await other.saved() == []
        assert (await other.merchant.client.delete(f"{theirs}/{method_id}")).status_code == 204
        before = await dump(runtime)
        body = {
            "billing": {"country": "US"},
            "customer": {"customer_id": other.customer_id},
            "product_cart": [{"product_id": other.product_id, "quantity": 1}],
            "payment_method_id": method_id,
        }
        refused = await other.merchant.client.post("/payments", json=body)
        assert (refused.status_code, refused.json()) == (
            404,
            {"code": "NOT_FOUND", "message": f"payment_method_id: Payment method {method_id} not found"},
        )
        assert await dump(runtime) == before
        await other.browser.aclose()
    assert len(await shop.saved()) == 1


async def test_a_proof_is_made_by_a_writing_key_for_a_known_customer(shop: Shop, clock: FakeClock) -> None:
    path = f"/customers/{shop.customer_id}/proof"
    proof = (await shop.merchant.client.post(path)).json()
    ends = (clock.now() + timedelta(minutes=15)).replace(microsecond=0)
    assert set(proof) == {"proof", "expires_on"}
    assert proof["expires_on"] == ends.isoformat().replace("+00:00", "Z")
    assert proof["proof"].startswith(f"{int(ends.timestamp())}.")
    assert shop.customer_id not in proof["proof"]
    assert (await shop.merchant.read_only_client.post(path)).status_code == 403
    assert (await shop.merchant.client.post("/customers/cus_unknown/proof")).status_code == 404


async def test_the_first_proofs_at_once_share_one_key(shop: Shop, runtime: Runtime) -> None:
    path = f"/customers/{shop.customer_id}/proof"
    proofs = await asyncio.gather(*(shop.merchant.client.post(path) for _ in range(10)))
    assert len({proof.json()["proof"] for proof in proofs}) == 1
    assert await counted(runtime, "proof_keys") == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_every_call_of_the_official_sdk(server: Server) -> None:
    """Unmodified, and with every key type-checked."""
    async with (
        AsyncDodoPayments(
            bearer_token=server.key, base_url=server.base_url, max_retries=0, _strict_response_validation=True
        ) as sdk,
        httpx.AsyncClient(base_url=server.base_url, headers={"authorization": f"Bearer {server.key}"}) as raw,
    ):
        price: Any = {"type": "one_time_price", "currency": "USD", "price": 2400}
        product = await sdk.products.create(name="Field Guide", tax_category="e_book", price=price)
        customer = await sdk.customers.create(email="ana@example.com", name="Ana")
        order: Any = {
            "billing": {"country": "US"},
            "customer": {"customer_id": customer.customer_id},
            "product_cart": [{"product_id": product.product_id, "quantity": 1}],
        }
        link = (await sdk.payments.create(**order, payment_link=True, force_3ds=True)).payment_link
        answer = await pay(raw, link or "", **CONSENT, number="4000000000003055")
        await raw.post(answer.headers["location"], data={"answer": "confirm"})
        await raw.get(link or "")
        (method,) = (await sdk.customers.retrieve_payment_methods(customer.customer_id)).items
        assert (method.payment_method, method.payment_method_type, method.recurring_enabled) == ("card", "credit", True)
        assert method.card is not None
        assert (method.card.last4_digits, method.card.card_network, method.card.expiry_year) == ("3055", "visa", "2032")
        (item,) = (await raw.get(f"/customers/{customer.customer_id}/payment-methods")).json()["items"]
        assert (set(item), set(item["card"])) == (set(Item.model_fields), set(ItemCard.model_fields))
        made = await sdk.payments.create(**order, payment_method_id=method.payment_method_id, payment_link=True)
        assert (made.payment_link, made.total_amount) == (None, 2400)
        paid = await sdk.payments.retrieve(made.payment_id)
        assert (paid.status, paid.payment_method_id) == ("succeeded", method.payment_method_id)
        assert (paid.three_ds_flow, paid.three_ds_status, paid.three_ds_version) == (
            "frictionless",
            "authenticated",
            "2.2.0",
        )
        listed = (await sdk.payments.list(customer_id=customer.customer_id, page_number=0)).items
        assert sorted(str(payment.three_ds_flow) for payment in listed) == ["challenge", "frictionless"]
        assert set((await raw.get(f"/payments/{made.payment_id}")).json()) == set(Payment.model_fields)
        assert set((await raw.get("/payments")).json()["items"][0]) == set(PaymentListResponse.model_fields)
        for _ in range(2):
            await sdk.customers.delete_payment_method(method.payment_method_id, customer_id=customer.customer_id)
        assert (await sdk.customers.retrieve_payment_methods(customer.customer_id)).items == []
