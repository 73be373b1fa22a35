"""Charging a saved card with POST /payments: at once, without a page, and without its owner."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import FakeClock, Merchant, client_for
from nicobar.app import create_app
from nicobar.core.payments.payment import Outcome, Succeeded
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.payments.resolve_attempts_due import resolve_attempts_due
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import ChargeRequest
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.database import DatabaseUnavailable
from nicobar.storage.simulator.simulator import SimulatorRecords
from orders import dump, with_processors
from saved_cards import CONSENT, Shop, counted, open_shop


@pytest_asyncio.fixture
async def shop(merchant: Merchant, app: ASGIApp) -> AsyncIterator[Shop]:
    shop = await open_shop(merchant, app)
    yield shop
    await shop.browser.aclose()


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
    price = {"type": "one_time_price", "currency": "INR", "price": 50_000}
    product = {"name": "Guide", "tax_category": "e_book", "price": price}
    sold = (await shop.merchant.client.post("/products", json=product)).json()["product_id"]
    rupees = {"product_cart": [{"product_id": sold, "quantity": 1}], "billing": {"country": "IN"}}
    rupay = (await shop.sell(rupees, **CONSENT, number="6074825972083818"))["payment_method_id"]
    path = f"/customers/{shop.customer_id}/payment-methods/"
    gone = (await shop.sell(**CONSENT, number="5555555555554444"))["payment_method_id"]
    assert (await shop.merchant.client.delete(path + gone)).status_code == 204
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
    processor = Watched(clock, runtime.public_url, SimulatorRecords(runtime.database))
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


async def test_a_charge_that_cannot_be_recorded_is_not_answered_with_an_error(
    shop: Shop, runtime: Runtime, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDKs repeat a request that was answered with 503, and each repetition would be a payment of its own."""

    async def gone(*_arguments: object) -> bool:
        raise DatabaseUnavailable("gone")

    method_id = (await shop.sell(**CONSENT))["payment_method_id"]
    with monkeypatch.context() as patched:
        patched.setattr("nicobar.flows.payments.confirm_payment.record_payment_outcome", gone)
        charged = await shop.charge(method_id)
    assert charged["status"] == "processing"
    clock.advance(minutes=1)
    assert await resolve_attempts_due(runtime, clock.now()) == 1
    assert (await shop.read(charged["payment_id"]))["status"] == "succeeded"
    assert await counted(runtime, "simulator.charges") == 2


async def test_consent_outlives_a_lost_answer(shop: Shop, watched: Watched, runtime: Runtime, clock: FakeClock) -> None:
    """The card was charged and the answer got lost: the resolver saves it, because the attempt knows the consent."""

    class Answering(Simulator):
        async def charge(self, request: ChargeRequest) -> Outcome:
            await super().charge(request)
            raise ConnectionError

    assert isinstance(runtime.processors, dict)
    runtime.processors["simulator"] = Answering(clock, runtime.public_url, SimulatorRecords(runtime.database))
    paying = await shop.sell(**CONSENT)
    assert (paying["status"], await shop.saved()) == ("processing", [])
    clock.advance(minutes=1)
    await resolve_attempts_due(runtime, clock.now())
    paid = await shop.read(paying["payment_id"])
    assert [method["payment_method_id"] for method in await shop.saved()] == [paid["payment_method_id"]]


async def test_saved_methods_outlive_a_restart(shop: Shop, runtime: Runtime, merchant: Merchant) -> None:
    method_id = (await shop.sell(**CONSENT))["payment_method_id"]
    restarted = with_processors(runtime)
    async with client_for(create_app(restarted), merchant.key) as client:
        renewed = shop._replace(merchant=merchant)
        renewed.merchant.client = client
        assert (await renewed.charge(method_id))["status"] == "succeeded"


async def test_nobody_is_there_to_ask_for_the_region_that_taxes(
    shop: Shop, clock: FakeClock, runtime: Runtime, merchant: Merchant
) -> None:
    """A page asks for the missing postal code; a charge without one would be decided in the customer's favour."""
    method_id = (await shop.sell(**CONSENT))["payment_method_id"]
    product = await shop.merchant.client.get("/products")
    await change_setting(runtime, merchant.tenant, "tax", "table")
    clock.advance(seconds=5)
    body = {
        "billing": {"country": "US"},
        "customer": {"customer_id": shop.customer_id},
        "payment_method_id": method_id,
        "product_cart": [{"product_id": product.json()["items"][0]["product_id"], "quantity": 1}],
    }
    before = await dump(runtime)
    for billing in ({"country": "US"}, {"country": "CA"}, {"country": "US", "state": "Atlantis", "zipcode": "00000"}):
        refused = await merchant.client.post("/payments", json=body | {"billing": billing})
        assert (refused.status_code, refused.json()["code"]) == (422, "INVALID_REQUEST_BODY")
        assert refused.json()["message"].startswith("billing.zipcode: ")
    assert await dump(runtime) == before
    for billing in ({"country": "US", "zipcode": "36602"}, {"country": "US", "state": "AE"}, {"country": "DE"}):
        taken = await merchant.client.post("/payments", json=body | {"billing": billing})
        assert taken.status_code == 200, taken.text
