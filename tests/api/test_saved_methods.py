"""Saved cards over HTTP: kept with consent only, listed and deleted by their merchant, charged without the customer."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, NamedTuple

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import START, FakeClock, Merchant, client_for
from nicobar.app import create_app
from nicobar.core.payment import Outcome, Succeeded
from nicobar.flows.resolve_attempts_due import resolve_attempts_due
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import ChargeRequest
from nicobar.processors.simulator import Simulator
from orders import dump, pay

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

    async def sell(self, order: dict[str, Any] | None = None, **fields: str) -> dict[str, Any]:
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


@pytest_asyncio.fixture
async def shop(merchant: Merchant, app: ASGIApp) -> AsyncIterator[Shop]:
    shop = await open_shop(merchant, app)
    yield shop
    await shop.browser.aclose()


async def counted(runtime: Runtime, table: str) -> int:
    async with runtime.database.read() as read:
        count: int = await read.fetchval(f"SELECT count(*) FROM {table}")
    return count


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
    assert everything.count(token) == 2  # token and fingerprint of the saved method, and no copy in an attempt
    for hidden in ("5555555555554444", "5555 5555 5555 4444"):
        assert hidden not in shown + everything


async def test_a_saved_method_is_deleted_for_good(shop: Shop, runtime: Runtime) -> None:
    paid = await shop.sell(**CONSENT)
    path = f"/customers/{shop.customer_id}/payment-methods/{paid['payment_method_id']}"
    refused = await shop.merchant.read_only_client.delete(path)
    assert (refused.status_code, len(await shop.saved())) == (403, 1)
    for _ in range(2):
        gone = await shop.merchant.client.delete(path)
        assert (gone.status_code, gone.content) == (200, b"")
    assert await shop.saved() == []
    assert "simcard_" not in await dump(runtime)
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
        assert (await other.merchant.client.delete(f"{theirs}/{method_id}")).status_code == 200
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


async def test_a_saved_method_pays_at_once(shop: Shop, clock: FakeClock, runtime: Runtime) -> None:
    method_id = (await shop.sell(**CONSENT))["payment_method_id"]
    clock.advance(days=30)
    paid = await shop.charge(method_id, payment_link=True, metadata={"order": "18"})
    assert (paid["status"], paid["total_amount"], paid["error_code"]) == ("succeeded", 2400, None)
    assert (paid["payment_method_id"], paid["payment_link"]) == (method_id, None)
    assert (paid["payment_method"], paid["payment_method_type"]) == ("card", "credit")
    assert (paid["card_last_four"], paid["card_holder_name"], paid["card_exp_year"]) == ("4242", "Ana Lima", "2032")
    assert paid["metadata"] == {"order": "18"}
    (method,) = await shop.saved()
    assert method["last_used_at"] == clock.now().isoformat().replace("+00:00", "Z")
    async with runtime.database.read() as read:
        rows = await read.fetch("SELECT * FROM attempts WHERE payment_id = $1", paid["payment_id"])
    (attempt,) = rows
    assert (attempt["amount"], attempt["outcome"]["type"], attempt["save_method"]) == (2400, "succeeded", False)


@pytest.mark.parametrize(
    ("number", "code"),
    [("4000000000000341", "GENERIC_DECLINE"), ("4000002500003155", "AUTHENTICATION_REQUIRED")],
)
async def test_a_decline_is_told_by_the_payment(shop: Shop, number: str, code: str, runtime: Runtime) -> None:
    method_id = (await shop.sell(**CONSENT, number=number))["payment_method_id"]
    (before,) = await shop.saved()
    failed = await shop.charge(method_id)
    assert (failed["status"], failed["error_code"], failed["payment_method_id"]) == ("failed", code, method_id)
    assert failed["three_ds_flow"] is None
    assert await shop.saved() == [before]
    assert await counted(runtime, "attempts WHERE resolved_at IS NULL") == 0


async def test_an_expired_card_is_declined(shop: Shop, clock: FakeClock) -> None:
    method_id = (await shop.sell(**CONSENT, expiry="04/26"))["payment_method_id"]
    clock.advance(days=40)
    assert (await shop.charge(method_id))["status"] == "succeeded"
    clock.advance(days=10)
    failed = await shop.charge(method_id)
    assert (failed["status"], failed["error_code"]) == ("failed", "EXPIRED_CARD")


async def test_what_a_saved_method_cannot_pay_is_refused(shop: Shop, runtime: Runtime) -> None:
    credit = (await shop.sell(**CONSENT))["payment_method_id"]
    rupay = (await shop.sell(**CONSENT, number="6074825972083818"))["payment_method_id"]
    path = f"/customers/{shop.customer_id}/payment-methods/"
    gone = (await shop.sell(**CONSENT, number="5555555555554444"))["payment_method_id"]
    await shop.merchant.client.delete(path + gone)
    before = await dump(runtime)
    body = {
        "billing": {"country": "US"},
        "customer": {"customer_id": shop.customer_id},
        "product_cart": [{"product_id": shop.product_id, "quantity": 1}],
    }
    refusals: list[tuple[dict[str, Any], int, str]] = [
        ({"payment_method_id": rupay}, 422, "NO_ELIGIBLE_PAYMENT_METHODS"),
        ({"payment_method_id": credit, "allowed_payment_method_types": ["debit"]}, 422, "NO_ELIGIBLE_PAYMENT_METHODS"),
        ({"payment_method_id": gone}, 404, "NOT_FOUND"),
        ({"payment_method_id": "pm_unknown"}, 404, "NOT_FOUND"),
        ({"payment_method_id": credit, "customer": {"email": "ana@example.com"}}, 422, "INVALID_REQUEST_PARAMETERS"),
    ]
    for changes, status, code in refusals:
        refused = await shop.merchant.client.post("/payments", json=body | changes)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
        assert refused.json()["message"].startswith("payment_method_id: ")
    assert await dump(runtime) == before


async def test_a_method_of_a_processor_that_is_gone_is_refused(shop: Shop, runtime: Runtime) -> None:
    method_id = (await shop.sell(**CONSENT))["payment_method_id"]
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE saved_methods SET processor = 'another'")
    before = await dump(runtime)
    body = {
        "billing": {"country": "US"},
        "customer": {"customer_id": shop.customer_id},
        "product_cart": [{"product_id": shop.product_id, "quantity": 1}],
        "payment_method_id": method_id,
    }
    refused = await shop.merchant.client.post("/payments", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "NO_ELIGIBLE_PAYMENT_METHODS")
    assert await dump(runtime) == before


async def test_a_free_payment_asks_nobody(shop: Shop, runtime: Runtime) -> None:
    method_id = (await shop.sell(**CONSENT))["payment_method_id"]
    attempts = await counted(runtime, "attempts")
    paid = await shop.charge(method_id, product_cart=[{"product_id": shop.product_id, "quantity": 0}])
    assert (paid["status"], paid["total_amount"], paid["payment_method_id"]) == ("succeeded", 0, None)
    assert await counted(runtime, "attempts") == attempts


async def test_a_code_is_used_by_the_charge(shop: Shop) -> None:
    method_id = (await shop.sell(**CONSENT))["payment_method_id"]
    code = {"type": "percentage", "amount": 2500, "code": "QUARTER", "usage_limit": 1}
    discount = (await shop.merchant.client.post("/discounts", json=code)).json()
    paid = await shop.charge(method_id, discount_codes=["QUARTER"])
    assert (paid["status"], paid["total_amount"]) == ("succeeded", 1800)
    used = (await shop.merchant.client.get(f"/discounts/{discount['discount_id']}")).json()
    assert used["times_used"] == 1


async def test_twenty_charges_at_once_are_twenty_payments(shop: Shop, runtime: Runtime) -> None:
    method_id = (await shop.sell(**CONSENT))["payment_method_id"]
    paid = await asyncio.gather(*(shop.charge(method_id) for _ in range(20)))
    assert {payment["status"] for payment in paid} == {"succeeded"}
    assert len({payment["payment_id"] for payment in paid}) == 20
    assert await counted(runtime, "attempts") == 21


class Watched(Simulator):
    """A processor that looks into the database while it is asked, and may leave the question open."""

    runtime: Runtime
    seen: list[tuple[str, int, bool]]
    silent = False

    async def charge(self, request: ChargeRequest) -> Outcome:
        query = "SELECT p.status, a.amount FROM attempts a JOIN payments p USING (payment_id) WHERE a.attempt_id = $1"
        async with self.runtime.database.read() as read:
            row = await read.fetchrow(query, request.attempt_id)
        assert row is not None
        self.seen.append((row["status"], row["amount"], request.customer_present))
        if self.silent:
            raise TimeoutError
        return await super().charge(request)


@pytest.fixture
def watched(runtime: Runtime, clock: FakeClock) -> Watched:
    processor = Watched(clock, runtime.public_url)
    processor.runtime, processor.seen = runtime, []
    assert isinstance(runtime.processors, dict)
    runtime.processors["simulator"] = processor
    return processor


async def test_payment_and_attempt_are_committed_before_the_call(shop: Shop, watched: Watched) -> None:
    method_id = (await shop.sell(**CONSENT))["payment_method_id"]
    await shop.charge(method_id)
    assert watched.seen == [("processing", 2400, True), ("processing", 2400, False)]


async def test_a_silent_processor_leaves_the_payment_to_the_resolver(
    shop: Shop, watched: Watched, runtime: Runtime, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    method_id = (await shop.sell(**CONSENT))["payment_method_id"]
    watched.silent = True
    doubtful = await shop.charge(method_id)
    assert (doubtful["status"], doubtful["error_code"]) == ("processing", None)

    async def found(_attempt_id: str) -> Outcome:
        return Succeeded("sim_1")

    monkeypatch.setattr(watched, "find", found)
    clock.advance(minutes=1)
    assert await resolve_attempts_due(runtime, clock.now()) == 1
    assert (await shop.read(doubtful["payment_id"]))["status"] == "succeeded"
    (method,) = await shop.saved()
    assert method["last_used_at"] == clock.now().isoformat().replace("+00:00", "Z")


async def test_consent_outlives_a_lost_answer(shop: Shop, watched: Watched, runtime: Runtime, clock: FakeClock) -> None:
    """The card was charged and the answer got lost: the resolver saves it, because the attempt knows the consent."""

    class Answering(Simulator):
        async def charge(self, request: ChargeRequest) -> Outcome:
            await super().charge(request)
            raise ConnectionError

    assert isinstance(runtime.processors, dict)
    runtime.processors["simulator"] = Answering(clock, runtime.public_url)
    paying = await shop.sell(**CONSENT)
    assert (paying["status"], await shop.saved()) == ("processing", [])
    clock.advance(minutes=1)
    await resolve_attempts_due(runtime, clock.now())
    paid = await shop.read(paying["payment_id"])
    assert [method["payment_method_id"] for method in await shop.saved()] == [paid["payment_method_id"]]


async def test_saved_methods_outlive_a_restart(shop: Shop, runtime: Runtime, merchant: Merchant) -> None:
    method_id = (await shop.sell(**CONSENT))["payment_method_id"]
    restarted = runtime._replace(processors={"simulator": Simulator(runtime.clock, runtime.public_url)})
    async with client_for(create_app(restarted), merchant.key) as client:
        renewed = shop._replace(merchant=merchant)
        renewed.merchant.client = client
        assert (await renewed.charge(method_id))["status"] == "succeeded"


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
