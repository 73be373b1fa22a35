"""A request with an idempotency key is carried out once, whatever it is and however often it comes."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest
from starlette.types import ASGIApp

from api.retries.samples import Sample, plan_change, samples
from api.subscriptions.subscribing import PRICE, RENEWALS_FAIL, Club
from due_work import run_due
from harness import FakeClock, Merchant, client_for
from nicobar.app import OPERATIONS, create_app
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.business.create_key import create_key
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.database import DatabaseUnavailable
from nicobar.storage.retries import kept_answers
from orders import pay
from shop import Shop, item, order_request

REPLAYED = "idempotent-replayed"


class Stand(NamedTuple):
    """A shop with one of everything."""

    shop: Shop
    names: dict[str, str]

    async def refundable(self) -> str:
        created = await self.shop.purchase(self.names["product"])
        payment_id: str = created["payment_id"]
        return payment_id


@pytest.fixture
async def stand(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> AsyncIterator[Stand]:
    shop = Shop(runtime, app, clock, merchant)
    post = merchant.client.post
    brand = (await post("/brands", json={"name": "Press"})).json()["brand_id"]
    product = await shop.product()
    market = await shop.product(pricing_mode="by_currency")
    await shop.localized_price(market, 900, "EUR")
    prices = (await merchant.client.get(f"/products/{market}/localized-prices")).json()["items"]
    names = {
        "product": product,
        "market": market,
        "price": prices[0]["id"],
        "brand": brand,
        "customer": await shop.customer("ana@example.com"),
        "discount": await shop.percentage("SPRING", 1000),
        "paid": "",
        **dict.fromkeys(("subscription", "demand", "failed"), ""),
    }
    stand = Stand(shop, names)
    names["paid"] = await stand.refundable()
    club = await post("/products", json={"name": "Club", "tax_category": "saas", "price": PRICE})
    names["club"] = club.json()["product_id"]
    addon = await post("/addons", json={"name": "Seat", "price": 500, "currency": "USD", "tax_category": "saas"})
    names["addon"] = addon.json()["id"]
    session = await post("/checkouts", json={"product_cart": [{"product_id": product, "quantity": 1}]})
    names["session"] = session.json()["session_id"]
    names["event"] = (await merchant.client.get("/events")).json()["data"][0]["event_id"]
    names["endpoint"] = (await post("/webhooks", json={"url": "https://shop.example/hook"})).json()["id"]
    yield stand


async def subscribe(shop: Shop, names: dict[str, str]) -> None:
    """Start a subscription, one on demand, and one whose renewal has failed."""
    members = Club(shop.merchant, shop.browser, shop.runtime, shop.clock)
    names["subscription"] = (await members.subscribe(names["club"]))["subscription_id"]
    demand = await members.subscribe(names["club"], on_demand={"mandate_only": True})
    names["demand"] = demand["subscription_id"]
    held = await members.subscribe(names["club"], RENEWALS_FAIL)
    shop.clock.advance(milliseconds=1)
    body = {"next_billing_date": shop.clock.now().isoformat()}
    await members.call("PATCH", f"/subscriptions/{held['subscription_id']}", body)
    await run_due(shop.runtime)
    payments = await members.payments(held["subscription_id"])
    names["failed"] = next(each["payment_id"] for each in payments if each["status"] == "failed")


WRITING = [f"{operation.method} {operation.path}" for operation in OPERATIONS if operation.writes]
PREVIEWS = [f"{operation.method} {operation.path}" for operation in OPERATIONS if operation.is_preview]


async def prepare(stand: Stand, operation: str) -> None:
    if "subscription_id" in operation or operation == "POST /payments/{payment_id}/retry":
        await subscribe(stand.shop, stand.names)
    if operation == "DELETE /discounts/{discount_id}/customers/{customer_id}":
        names = stand.names
        body = {"customer_ids": [names["customer"]]}
        assert (await stand.shop.client.post(f"/discounts/{names['discount']}/customers", json=body)).status_code == 200
    if operation == "DELETE /subscriptions/{subscription_id}/change-plan/scheduled":
        names = stand.names
        body = plan_change(names["club"], "full_immediately") | {"effective_at": "next_billing_date"}
        path = f"/subscriptions/{names['subscription']}/change-plan"
        assert (await stand.shop.client.post(path, json=body)).status_code == 200


async def send(client: httpx.AsyncClient, operation: str, sample: Sample, key: str | None) -> httpx.Response:
    headers = {} if key is None else {"idempotency-key": key}
    return await client.request(operation.partition(" ")[0], sample.path, json=sample.body, headers=headers)


async def dump(runtime: Runtime) -> dict[str, list[str]]:
    """Return every row of every table of ours, apart from the kept answers themselves."""
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'kept_answers' ORDER BY 1"
    async with runtime.database.read() as read:
        names = [row["tablename"] for row in await read.fetch(query)]
        assert {"payments", "subscriptions", "webhook_endpoints"} < set(names)
        rows = {name: await read.fetch(f"SELECT t::text AS row FROM {name} t") for name in names}
    return {name: sorted(row["row"] for row in found) for name, found in rows.items()}


def test_every_writing_operation_has_a_sample() -> None:
    assert set(samples(defaultdict(str))) == {*WRITING, *PREVIEWS}


@pytest.mark.parametrize("operation", WRITING)
async def test_every_writing_operation_is_carried_out_once(runtime: Runtime, stand: Stand, operation: str) -> None:
    await prepare(stand, operation)
    sample, client = samples(stand.names)[operation], stand.shop.client
    first = await send(client, operation, sample, "order-17")
    assert first.status_code in (200, 204), first.text
    assert REPLAYED not in first.headers
    before = await dump(runtime)
    stand.shop.clock.advance(days=6)
    again = await send(client, operation, sample, "order-17")
    assert (again.status_code, again.content, again.headers[REPLAYED]) == (first.status_code, first.content, "true")
    assert await dump(runtime) == before
    other = await client.request(
        operation.partition(" ")[0], f"{sample.path}?a=b", json=sample.body, headers={"idempotency-key": "order-17"}
    )
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert other.headers["x-should-retry"] == "false"
    assert await dump(runtime) == before


@pytest.mark.parametrize("operation", WRITING)
async def test_a_crash_before_the_answer_is_kept_does_nothing_twice(
    runtime: Runtime, stand: Stand, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """The row of the first commit is all that there is then: the object, as it is, answers."""
    await prepare(stand, operation)

    async def lose(*_: object) -> None:
        return None

    sample, client = samples(stand.names)[operation], stand.shop.client
    with monkeypatch.context() as crash:
        crash.setattr("nicobar.api.retries.complete_answer", lose)
        first = await send(client, operation, sample, "order-17")
        assert first.status_code in (200, 204), first.text
    before = await dump(runtime)
    again = await send(client, operation, sample, "order-17")
    if sample.as_it_is:
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers[REPLAYED] == "true"
    else:
        assert (again.status_code, again.json()["code"]) == (409, "IDEMPOTENT_ANSWER_LOST")
        assert again.headers["x-should-retry"] == "false"
    assert await dump(runtime) == before


async def test_the_scope_of_a_key_is_business_mode_method_and_path(
    runtime: Runtime, app: ASGIApp, merchant: Merchant, other_merchant: Merchant
) -> None:
    headers, body = {"idempotency-key": "k"}, {"name": "Press"}
    answers = [
        await client.post("/brands", json=body, headers=headers)
        for client in (merchant.client, merchant.live_client, other_merchant.client)
    ]
    assert len({answer.json()["brand_id"] for answer in answers}) == 3
    elsewhere = await merchant.client.post("/customers", json={"email": "a@example.com", "name": "A"}, headers=headers)
    assert elsewhere.status_code == 200 and REPLAYED not in elsewhere.headers
    _, another = await create_key(runtime, merchant.tenant, read_only=False)
    async with client_for(app, another) as rotated:
        again = await rotated.post("/brands", json=body, headers=headers)
    assert (again.json(), again.headers[REPLAYED]) == (answers[0].json(), "true")
    assert (await merchant.read_only_client.post("/brands", json=body, headers=headers)).status_code == 403


@pytest.mark.parametrize("operation", PREVIEWS)
async def test_nothing_is_kept_of_a_preview(runtime: Runtime, stand: Stand, operation: str) -> None:
    """A key that may only read stores nothing, whatever it sends along; every preview tells what would happen now."""
    await prepare(stand, operation)
    sample, merchant = samples(stand.names)[operation], stand.shop.merchant
    async with runtime.database.read() as read:
        before = await read.fetchval("SELECT count(*) FROM kept_answers")
    for client in (merchant.read_only_client, merchant.client):
        for key in ("a", "a", "b", None):
            answer = await send(client, operation, sample, key)
            assert answer.status_code == 200 and REPLAYED not in answer.headers, answer.text
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM kept_answers") == before


async def test_a_refusal_is_not_kept(merchant: Merchant) -> None:
    headers = {"idempotency-key": "k"}
    refused = await merchant.client.post("/customers", json={"email": "no address", "name": "A"}, headers=headers)
    assert refused.status_code == 422
    made = await merchant.client.post("/customers", json={"email": "a@example.com", "name": "A"}, headers=headers)
    assert made.status_code == 200 and REPLAYED not in made.headers


@pytest.mark.parametrize("key", ["", " ", "k" * 256, "caf\u00e9", "a\tb"])
async def test_a_malformed_key_is_refused(runtime: Runtime, merchant: Merchant, key: str) -> None:
    headers = [(b"idempotency-key", key.encode("latin-1"))]
    refused = await merchant.client.post("/brands", json={"name": "Press"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "INVALID_REQUEST_PARAMETERS")
    twice = [(b"idempotency-key", b"a"), (b"idempotency-key", b"a")]
    assert (await merchant.client.post("/brands", json={"name": "Press"}, headers=twice)).status_code == 422
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM brands WHERE name = 'Press'") == 0


async def test_keys_are_forgotten_after_the_days_of_the_setting(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    await change_setting(runtime, merchant.tenant, "idempotency_days", "2")
    clock.advance(seconds=5)
    headers, body = {"idempotency-key": "k"}, {"name": "Press"}
    first = (await merchant.client.post("/brands", json=body, headers=headers)).json()["brand_id"]
    clock.advance(days=2, seconds=-1)
    await sweep(runtime)
    assert (await merchant.client.post("/brands", json=body, headers=headers)).json()["brand_id"] == first
    clock.advance(seconds=1)
    second = (await merchant.client.post("/brands", json=body, headers=headers)).json()["brand_id"]
    assert second != first
    clock.advance(days=2)
    await sweep(runtime)
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM kept_answers") == 0


async def test_one_that_is_still_running_is_asked_for_again(
    runtime: Runtime, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()
    refund = Simulator.refund

    async def slowly(self: Simulator, request: Any) -> Any:
        reached.set()
        await go_on.wait()
        return await refund(self, request)

    monkeypatch.setattr(Simulator, "refund", slowly)
    client, body, headers = stand.shop.client, {"payment_id": stand.names["paid"]}, {"idempotency-key": "k"}
    first = asyncio.create_task(client.post("/refunds", json=body, headers=headers))
    await reached.wait()
    waiting = await client.post("/refunds", json=body, headers=headers)
    assert (waiting.status_code, waiting.json()["code"]) == (409, "IDEMPOTENT_REQUEST_RUNNING")
    assert (waiting.headers["x-should-retry"], waiting.headers["retry-after-ms"]) == ("true", "1000")
    go_on.set()
    made = await first
    assert (made.status_code, made.json()["status"]) == (200, "succeeded")
    again = await client.post("/refunds", json=body, headers=headers)
    assert (again.json(), again.headers[REPLAYED]) == (made.json(), "true")


async def test_many_at_once_make_one(runtime: Runtime, stand: Stand, app: ASGIApp) -> None:
    """In two processes, so that only the database stands between them."""
    elsewhere = client_for(create_app(runtime), stand.shop.merchant.key)
    body = order_request(item(stand.names["product"]), discount_code="SPRING", payment_link=True)
    headers = {"idempotency-key": "k"}
    clients = [stand.shop.client, elsewhere] * 6
    answers = await asyncio.gather(*(client.post("/payments", json=body, headers=headers) for client in clients))
    made = {answer.json()["payment_id"] for answer in answers if answer.status_code == 200}
    assert len(made) == 1
    for answer in answers:
        assert answer.status_code == 200 or answer.json()["code"] == "IDEMPOTENT_REQUEST_RUNNING"
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM payments") == 2  # and the one that the stand has paid


async def test_a_code_for_one_use_does_not_refuse_its_own_retry(runtime: Runtime, stand: Stand) -> None:
    await stand.shop.percentage("ONCE", 5000, usage_limit=1)
    body = order_request(item(stand.names["product"]), discount_code="ONCE", payment_link=True)
    headers = {"idempotency-key": "k"}
    first = await stand.shop.client.post("/payments", json=body, headers=headers)
    again = await stand.shop.client.post("/payments", json=body, headers=headers)
    assert first.status_code == 200 and (again.content, again.headers[REPLAYED]) == (first.content, "true")
    body |= {"customer": {"email": "bo@example.com"}}  # a payment of the same customer would take the code over
    other = await stand.shop.client.post("/payments", json=body, headers={"idempotency-key": "l"})
    assert other.json()["code"] == "DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED"


async def test_answers_are_sealed_and_a_changed_one_is_not_given(runtime: Runtime, stand: Stand) -> None:
    body, headers = order_request(item(stand.names["product"]), payment_link=True), {"idempotency-key": "k"}
    created = (await stand.shop.client.post("/payments", json=body, headers=headers)).json()
    async with runtime.database.read() as read:
        rows = await read.fetch("SELECT kept_answers::text AS whole, sealed FROM kept_answers")
        for row in rows:
            assert created["client_secret"].encode() not in row["sealed"]
            assert created["client_secret"] not in row["whole"]
        await read.execute("UPDATE kept_answers SET sealed = sealed || 'x'")
    lost = await stand.shop.client.post("/payments", json=body, headers=headers)
    assert (lost.status_code, lost.json()["code"]) == (409, "IDEMPOTENT_ANSWER_LOST")
    assert created["payment_id"] in lost.json()["message"]


async def test_a_link_that_was_paid_meanwhile_is_answered_as_it_was(stand: Stand) -> None:
    body, headers = order_request(item(stand.names["product"]), payment_link=True), {"idempotency-key": "k"}
    created = await stand.shop.client.post("/payments", json=body, headers=headers)
    await pay(stand.shop.browser, created.json()["payment_link"])
    again = await stand.shop.client.post("/payments", json=body, headers=headers)
    assert (again.status_code, again.content) == (200, created.content)


async def test_the_database_away_while_the_answer_is_kept_is_no_error(
    runtime: Runtime, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(kept_answers, "complete_answer", away)
    made = await merchant.client.post("/brands", json={"name": "Press"}, headers={"idempotency-key": "k"})
    assert made.status_code == 200
    again = await merchant.client.post("/brands", json={"name": "Press"}, headers={"idempotency-key": "k"})
    assert (again.json(), again.headers[REPLAYED]) == (made.json(), "true")
