"""Listening: every event that is committed from then on is forwarded once, signed, without any endpoint."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from standardwebhooks import Webhook

from harness import VAULT, FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import NewRefund
from nicobar.flows.refunds.refund_payment import refund_payment
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks import open_listener as module
from nicobar.flows.webhooks.forward_event import Forwarded, forward_event
from nicobar.flows.webhooks.forward_events import forward_events
from nicobar.flows.webhooks.open_listener import Listener, open_listener
from nicobar.flows.webhooks.reseal_endpoints import reseal_endpoints
from nicobar.processors.webhooks.webhooks import Webhooks
from nicobar.storage.events.events import events_of
from nicobar.vault import Keys, Vault
from orders import dump, paid, with_processors
from receiver import Receiver, answer, receiving

NOWHERE = "http://127.0.0.1:9/hook"


@pytest_asyncio.fixture
async def runtime(runtime: Runtime, clock: FakeClock) -> Runtime:
    clock.moment = datetime.now(UTC)  # Standard Webhooks look at the real clock
    return with_processors(runtime)


@pytest.fixture
def tenant(merchant: Merchant) -> Tenant:
    return merchant.tenant


async def event_of(runtime: Runtime, tenant: Tenant, payment_id: str) -> str:
    async with runtime.database.read() as read:
        return (await events_of(read, tenant, payment_id))[0].event_id


@asynccontextmanager
async def listening(runtime: Runtime, listener: Listener) -> AsyncIterator[list[Forwarded]]:
    told: list[Forwarded] = []
    task = asyncio.create_task(forward_events(runtime, listener, told.append))
    try:
        yield told
    finally:
        task.cancel()
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)


async def until(told: list[Forwarded], number: int) -> None:
    async with asyncio.timeout(20):
        while len(told) < number:
            await asyncio.sleep(0.01)


def about(receiver: Receiver) -> list[tuple[str, str]]:
    bodies = [json.loads(got.body) for got in receiver.got]
    return [(body["type"], body["data"].get("refund_id") or body["data"]["payment_id"]) for body in bodies]


async def test_what_is_committed_from_now_on_is_forwarded_signed(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant
) -> None:
    tenant = merchant.tenant
    own_network_refused = runtime._replace(webhooks=Webhooks(VAULT, runtime.clock, allow_private=False))
    await paid(runtime, tenant)
    async with receiving(answer(), answer(500), answer(204)) as receiver:
        listener = await open_listener(own_network_refused, tenant, receiver.url)
        before = await dump(runtime)
        async with listening(own_network_refused, listener) as told:
            await paid(runtime, other_merchant.tenant)
            second = (await paid(runtime, tenant)).payment_id
            await until(told, 1)
            third = (await paid(runtime, tenant, number="4000000000000002")).payment_id
            fourth = (await paid(runtime, tenant)).payment_id
            await until(told, 3)
            await asyncio.sleep(0.5)
    assert about(receiver) == [
        ("payment.succeeded", second),
        ("payment.failed", third),
        ("payment.succeeded", fourth),
    ]
    assert [(one.event.object_id, one.answer.status, one.answer.failure) for one in told] == [
        (second, 200, None),
        (third, 500, "It answered 500 instead of 2xx."),
        (fourth, 204, None),
    ]
    for got, one in zip(receiver.got, told, strict=True):
        Webhook(listener.secret).verify(got.body, got.headers)
        assert got.body == one.event.payload
    assert len({got.message_id for got in receiver.got}) == 3
    assert "webhook_listeners" in before
    async with runtime.database.read() as read:
        assert await read.fetchval("SELECT count(*) FROM webhook_deliveries") == 0
        assert await read.fetchval("SELECT count(*) FROM webhook_endpoints") == 0


async def test_an_event_that_is_committed_late_is_not_passed_by(runtime: Runtime, tenant: Tenant) -> None:
    """Its number was drawn before that of an event that was there when the listener opened."""
    late = (await paid(runtime, tenant)).payment_id
    async with runtime.database.statement() as tx:
        await tx.execute("DELETE FROM events WHERE object_id = $1", late)  # drawn, and not committed yet
    await paid(runtime, tenant)
    async with receiving() as receiver:
        listener = await open_listener(runtime, tenant, receiver.url)
        async with listening(runtime, listener) as told:
            first = (await paid(runtime, tenant)).payment_id
            await until(told, 1)
            second = (await paid(runtime, tenant)).payment_id
            await until(told, 2)
            async with runtime.database.statement() as tx:  # its commit, as far as numbers are concerned
                await tx.execute("UPDATE events SET number = 1 WHERE object_id = $1", second)
            await until(told, 3)
    assert [payment_id for _, payment_id in about(receiver)] == [first, second, second]


async def test_numbers_are_forgotten_and_none_is_forwarded_twice(
    runtime: Runtime, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LATE_NUMBERS", 2)
    monkeypatch.setattr("nicobar.flows.webhooks.forward_events.LATE_NUMBERS", 2)
    async with receiving() as receiver:
        listener = await open_listener(runtime, tenant, receiver.url)
        made = [(await paid(runtime, tenant)).payment_id for _ in range(8)]
        async with listening(runtime, listener) as told:
            await until(told, 8)
            made.append((await paid(runtime, tenant)).payment_id)
            await until(told, 9)
            await asyncio.sleep(0.5)
    assert [payment_id for _, payment_id in about(receiver)] == made


async def test_one_event_is_forwarded_once_more_as_it_is_now(runtime: Runtime, tenant: Tenant) -> None:
    async with receiving() as receiver:
        listener = await open_listener(runtime, tenant, receiver.url)
        payment_id = (await paid(runtime, tenant)).payment_id
        event_id = await event_of(runtime, tenant, payment_id)
        first = await forward_event(runtime, listener, event_id)
        await refund_payment(runtime, tenant, NewRefund(payment_id))
        await forward_event(runtime, listener, event_id)
        with pytest.raises(Problem) as refused:
            await forward_event(runtime, listener, "evt_nothing")
    assert refused.value.code == "NOT_FOUND"
    assert first.answer.status == 200
    bodies = [json.loads(got.body) for got in receiver.got]
    assert [body["type"] for body in bodies] == ["payment.succeeded"] * 2
    assert [len(body["data"]["refunds"]) for body in bodies] == [0, 1]
    assert receiver.got[0].message_id == receiver.got[1].message_id
    Webhook(listener.secret).verify(receiver.got[1].body, receiver.got[1].headers)


async def test_the_secret_stays_and_each_business_has_its_own(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant
) -> None:
    opened = await asyncio.gather(*(open_listener(runtime, merchant.tenant, NOWHERE) for _ in range(5)))
    (secret,) = {listener.secret for listener in opened}
    assert secret.startswith("whsec_") and len(secret) == 50
    assert (await open_listener(runtime, other_merchant.tenant, NOWHERE)).secret != secret
    assert secret not in await dump(runtime)


async def test_what_cannot_be_listened_to_stores_nothing(runtime: Runtime, merchant: Merchant) -> None:
    before = await dump(runtime)
    with pytest.raises(Problem) as refused:
        await open_listener(runtime, merchant.live_tenant, NOWHERE)
    assert refused.value.code == "UNSUPPORTED_ACTION"
    with pytest.raises(Problem) as refused:
        await open_listener(runtime, merchant.tenant, "ftp://localhost/")
    assert refused.value.code == "INVALID_REQUEST_BODY"
    without = runtime._replace(webhooks=Webhooks(Vault(None, None), runtime.clock, allow_private=True))
    with pytest.raises(Problem) as refused:
        await open_listener(without, merchant.tenant, NOWHERE)
    assert refused.value.code == "SERVICE_UNAVAILABLE"
    assert await dump(runtime) == before


async def test_a_new_encryption_key_replaces_the_old_one(runtime: Runtime, tenant: Tenant) -> None:
    secret = (await open_listener(runtime, tenant, NOWHERE)).secret
    old, new = (base64.b64encode(bytes(range(first, first + 32))).decode() for first in (0, 50))
    of_both, of_new = (
        runtime._replace(webhooks=Webhooks(Vault(Keys.parse(keys), None), runtime.clock, allow_private=True))
        for keys in (f"{new},{old}", new)
    )
    assert await reseal_endpoints(of_both) == 0
    assert (await open_listener(of_new, tenant, NOWHERE)).secret == secret
    with pytest.raises(Problem):
        await open_listener(runtime, tenant, NOWHERE)
