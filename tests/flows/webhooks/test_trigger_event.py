"""Triggering: each type that is written can be brought about by the real flow, and the books agree afterwards."""

import pytest
import pytest_asyncio

from harness import START, FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import Event, EventType
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.find_event import find_event
from nicobar.flows.webhooks.trigger_event import TRIGGERED, trigger_event
from nicobar.program.books_audit import audit_books
from nicobar.storage.events.events import EventFilter, list_events
from orders import dump, with_processors

BEFORE = {"refund.": ["payment.succeeded"], "dispute.": ["payment.succeeded", "dispute.opened"]}
"""What is told on the way."""


@pytest_asyncio.fixture
async def runtime(runtime: Runtime, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    async def sleep(seconds: float) -> None:
        clock.advance(seconds=seconds)

    monkeypatch.setattr("nicobar.flows.webhooks.trigger_event.sleep", sleep)
    return with_processors(runtime)


async def list_of(runtime: Runtime, tenant: Tenant) -> list[Event]:
    async with runtime.database.snapshot() as read:
        return await list_events(read, tenant, EventFilter(), 100, before=None, after=None)


async def told(runtime: Runtime, tenant: Tenant) -> list[str]:
    """Return the types of all events, the oldest first."""
    return [event.type for event in reversed(await list_of(runtime, tenant))]


@pytest.mark.parametrize("type", TRIGGERED)
async def test_every_type_happens_by_its_own_way(
    runtime: Runtime, merchant: Merchant, clock: FakeClock, type: EventType
) -> None:
    event = await trigger_event(runtime, merchant.tenant, type)
    assert event.type == type
    expected = [*BEFORE.get(f"{type.partition('.')[0]}.", []), type]
    assert await told(runtime, merchant.tenant) == list(dict.fromkeys(expected))
    async with runtime.database.snapshot() as read:
        wrong = [part for part in await audit_books(read, clock.now(), START) if part.good is False]
    assert wrong == []


async def test_the_product_is_made_once_and_nobody_else_is_touched(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant, clock: FakeClock
) -> None:
    for _ in range(2):
        await trigger_event(runtime, merchant.tenant, "payment.failed")
        clock.advance(seconds=1)
    async with runtime.database.read() as read:
        counted = await read.fetchrow(
            "SELECT (SELECT count(*) FROM products), (SELECT count(*) FROM customers), (SELECT count(*) FROM payments)"
        )
    assert tuple(counted or ()) == (1, 1, 2)
    assert await told(runtime, other_merchant.tenant) == await told(runtime, merchant.live_tenant) == []


async def test_live_mode_is_refused_and_nothing_is_stored(runtime: Runtime, merchant: Merchant) -> None:
    before = await dump(runtime)
    with pytest.raises(Problem) as refused:
        await trigger_event(runtime, merchant.live_tenant, "payment.succeeded")
    assert (refused.value.code, refused.value.message) == (
        "UNSUPPORTED_ACTION",
        "Events are triggered in test mode only",
    )
    assert await dump(runtime) == before


async def test_what_was_told_about_a_payment_is_found(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant
) -> None:
    tenant = merchant.tenant
    refunded = await trigger_event(runtime, tenant, "refund.succeeded")
    paid = (await list_of(runtime, tenant))[-1]
    assert (await find_event(runtime, tenant, paid.object_id, "refund.succeeded")) == refunded
    assert (await find_event(runtime, tenant, paid.object_id, "payment.succeeded")) == paid
    with pytest.raises(Problem) as refused:
        await find_event(runtime, tenant, paid.object_id, "payment.failed")
    assert refused.value.message == (
        f"No payment.failed was told about {paid.object_id}, which is succeeded. "
        "Told was: payment.succeeded, refund.succeeded."
    )
    for stranger in (other_merchant.tenant, merchant.live_tenant):
        with pytest.raises(Problem) as refused:
            await find_event(runtime, stranger, paid.object_id, "payment.succeeded")
        assert refused.value.code == "NOT_FOUND"
