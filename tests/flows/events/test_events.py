"""Events: each move of a payment that merchants are notified of is written in the commit of the move."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Declined, Outcome, Pending, Succeeded, Unknown
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.expire_payments import expire_payments
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.runtime import Runtime
from nicobar.storage.events.events import events_of
from nicobar.storage.payments.attempts import get_attempt
from nicobar.storage.payments.payments import lock_payment
from orders import attempts_of, card, order, place, reload, with_processors


@pytest_asyncio.fixture
async def runtime(runtime: Runtime) -> Runtime:
    return with_processors(runtime)


@pytest.fixture
def tenant(merchant: Merchant) -> Tenant:
    return merchant.tenant


async def told(runtime: Runtime, tenant: Tenant, payment_id: str) -> list[tuple[str, dict[str, Any]]]:
    async with runtime.database.read() as read:
        return [(event.type, json.loads(event.payload)) for event in await events_of(read, tenant, payment_id)]


async def shown(merchant: Merchant, payment_id: str) -> dict[str, Any]:
    answer: httpx.Response = await merchant.client.get(f"/payments/{payment_id}")
    found: dict[str, Any] = answer.json()
    return found


async def test_a_success_is_told_as_get_shows_it(runtime: Runtime, merchant: Merchant, clock: FakeClock) -> None:
    payment = await place(runtime, order(runtime, merchant.tenant))
    assert await told(runtime, merchant.tenant, payment.payment_id) == []
    clock.advance(seconds=7)
    await confirm_payment(runtime, merchant.tenant, payment.payment_id, card())
    ((type, body),) = await told(runtime, merchant.tenant, payment.payment_id)
    assert type == "payment.succeeded"
    assert list(body) == ["business_id", "type", "timestamp", "data"]
    assert (body["business_id"], body["type"]) == (merchant.business_id, "payment.succeeded")
    assert body["timestamp"] == "2026-03-14T15:09:33.535897Z"
    assert next(iter(body["data"])) == "payload_type"
    assert body["data"].pop("payload_type") == "Payment"
    assert body["data"] == await shown(merchant, payment.payment_id)


async def test_the_body_is_compact_and_keeps_other_scripts(
    runtime: Runtime, merchant: Merchant, tenant: Tenant
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    async with runtime.database.read() as read:
        await read.execute("UPDATE customers SET name = 'Žofie Δ 象'")
    await confirm_payment(runtime, tenant, payment.payment_id, card())
    async with runtime.database.read() as read:
        (event,) = await events_of(read, tenant, payment.payment_id)
    assert "Žofie Δ 象".encode() in event.payload
    assert event.payload == json.dumps(json.loads(event.payload), separators=(",", ":"), ensure_ascii=False).encode()


async def test_a_decline_and_the_success_after_it_are_two_events(
    runtime: Runtime, merchant: Merchant, tenant: Tenant, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    await confirm_payment(runtime, tenant, payment.payment_id, card("4000000000009995"))
    clock.advance(seconds=1)
    await confirm_payment(runtime, tenant, payment.payment_id, card())
    events = await told(runtime, tenant, payment.payment_id)
    assert [type for type, _ in events] == ["payment.failed", "payment.succeeded"]
    assert [body["data"]["error_code"] for _, body in events] == ["INSUFFICIENT_FUNDS", None]
    assert [body["data"]["status"] for _, body in events] == ["failed", "succeeded"]


async def test_an_expired_payment_is_told_to_be_cancelled(
    runtime: Runtime, merchant: Merchant, tenant: Tenant, clock: FakeClock
) -> None:
    payments = [await place(runtime, order(runtime, tenant)) for _ in range(3)]
    clock.moment = payments[0].expires_on + timedelta(seconds=1)
    assert await expire_payments(runtime) == 3
    for payment in payments:
        ((type, body),) = await told(runtime, tenant, payment.payment_id)
        assert type == "payment.cancelled"
        assert body["data"].pop("payload_type") == "Payment"
        assert body["data"] == await shown(merchant, payment.payment_id)
    assert await expire_payments(runtime) == 0


@pytest.mark.parametrize(
    ("words", "types"),
    [
        ([Unknown("time-out"), Unknown("again")], []),
        ([Pending("r"), Pending("r"), Succeeded("r")], ["payment.processing", "payment.succeeded"]),
        (
            [Unknown("time-out"), Pending("r"), Declined("CARD_DECLINED", "No.")],
            ["payment.processing", "payment.failed"],
        ),
        ([Succeeded("r"), Succeeded("r")], ["payment.succeeded"]),
    ],
)
async def test_each_news_is_told_once(
    runtime: Runtime, tenant: Tenant, clock: FakeClock, words: list[Outcome], types: list[str]
) -> None:
    payment = await _in_flight(runtime, tenant)
    for word in words:
        clock.advance(seconds=1)
        await _record(runtime, tenant, payment.payment_id, word)
    events = await told(runtime, tenant, payment.payment_id)
    assert [type for type, _ in events] == types
    assert len({body["timestamp"] for _, body in events}) == len(types)


async def test_a_no_that_is_taken_back_is_a_success(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    payment = await _in_flight(runtime, tenant)
    await _record(runtime, tenant, payment.payment_id, Declined("CARD_DECLINED", "No."))
    clock.advance(seconds=1)
    assert await _record(runtime, tenant, payment.payment_id, Succeeded("r"))
    paid = await reload(runtime, payment)
    assert (paid.status, paid.error_code, paid.error_message) == ("succeeded", None, None)
    (attempt,) = await attempts_of(runtime, payment)
    assert attempt["outcome"] == {"type": "succeeded", "reference": "r"}
    assert [type for type, _ in await told(runtime, tenant, payment.payment_id)] == [
        "payment.failed",
        "payment.succeeded",
    ]
    assert not await _record(runtime, tenant, payment.payment_id, Succeeded("r"))


async def _in_flight(runtime: Runtime, tenant: Tenant) -> Any:
    """Return a payment whose attempt waits for its first answer."""
    payment = await place(runtime, order(runtime, tenant))
    processor: Any = runtime.processors["simulator"]

    async def lose(_request: object) -> Outcome:
        raise TimeoutError

    original, processor.charge = processor.charge, lose
    try:
        await confirm_payment(runtime, tenant, payment.payment_id, card())
    finally:
        processor.charge = original
    return await reload(runtime, payment)


async def _record(
    runtime: Runtime, tenant: Tenant, payment_id: str, outcome: Outcome, attempt_id: str | None = None
) -> bool:
    async with runtime.database.transaction() as tx:
        payment = await lock_payment(tx, tenant, payment_id)
        assert payment is not None
        if attempt_id is None:
            attempt_id = (await attempts_of(runtime, payment))[-1]["attempt_id"]
        attempt = await get_attempt(tx, tenant, attempt_id)
        return await record_payment_outcome(runtime, tx, payment, attempt, outcome, runtime.clock.now())
