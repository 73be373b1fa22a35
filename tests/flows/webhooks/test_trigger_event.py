"""Triggering: each type that is written can be brought about by the real flow, and the books agree afterwards."""

import pytest
import pytest_asyncio

from harness import START, FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import EVENT_TYPES, Event, EventType
from nicobar.core.problems import Problem
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.find_event import find_event
from nicobar.flows.webhooks.trigger_event import TRIGGERED, trigger_event
from nicobar.program.books_audit import audit_books
from nicobar.storage.events.events import EventFilter, list_events
from orders import dump, with_processors

BEFORE = {"refund.": ["payment.succeeded"], "dispute.": ["payment.succeeded", "dispute.opened"]}
"""What is told on the way."""

BEGUN = ["payment.succeeded", "subscription.active", "subscription.renewed"]
TOLD = {
    "subscription.active": [],
    "subscription.renewed": [
        "subscription.updated",
        "payment.succeeded",
        "subscription.renewed",
        "subscription.updated",
    ],
    "subscription.on_hold": ["subscription.updated", "payment.failed", "subscription.on_hold"],
    "subscription.past_due": [
        "subscription.updated",
        "payment.failed",
        "subscription.past_due",
    ],
    "subscription.paused": ["subscription.paused", "subscription.updated"],
    "subscription.unpaused": [
        "subscription.paused",
        "subscription.updated",
        "subscription.unpaused",
        "subscription.updated",
    ],
    "subscription.cancelled": ["subscription.cancelled"],
    "subscription.plan_changed": ["payment.succeeded", "subscription.plan_changed", "subscription.updated"],
    "subscription.updated": ["subscription.updated"],
    "subscription.update_payment_method": ["subscription.update_payment_method", "subscription.updated"],
}
"""What is told of a subscription once it has begun."""

OF_SUBSCRIPTIONS = [type for type in TRIGGERED if type.startswith("subscription.")]


@pytest_asyncio.fixture
async def runtime(runtime: Runtime, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    async def sleep(seconds: float) -> None:
        clock.advance(seconds=seconds)

    for module in ("trigger_event", "trigger_subscription"):
        monkeypatch.setattr(f"nicobar.flows.webhooks.{module}.sleep", sleep)
    return with_processors(runtime)


async def list_of(runtime: Runtime, tenant: Tenant) -> list[Event]:
    async with runtime.database.snapshot() as read:
        return await list_events(read, tenant, EventFilter(), 100, before=None, after=None)


async def told(runtime: Runtime, tenant: Tenant) -> list[str]:
    """Return the types of all events, the oldest first."""
    return [event.type for event in reversed(await list_of(runtime, tenant))]


@pytest.mark.parametrize("type", [type for type in TRIGGERED if type not in OF_SUBSCRIPTIONS])
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


@pytest.mark.parametrize("type", OF_SUBSCRIPTIONS)
async def test_every_type_of_subscriptions_happens_by_its_own_way(
    runtime: Runtime, merchant: Merchant, clock: FakeClock, type: EventType
) -> None:
    event = await trigger_event(runtime, merchant.tenant, type)
    assert (event.type, event.object_id.partition("_")[0]) == (type, "sub")
    listed = await told(runtime, merchant.tenant)
    if type == "subscription.failed":
        assert listed == ["payment.cancelled", "subscription.failed"]
    else:
        assert listed == BEGUN + TOLD[type]
    newest = next(each for each in await list_of(runtime, merchant.tenant) if each.type == type)
    assert event == newest
    async with runtime.database.snapshot() as read:
        wrong = [part for part in await audit_books(read, clock.now(), START) if part.good is False]
    assert wrong == []


async def test_what_only_time_brings_about_is_refused_in_a_sentence(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    tenant = merchant.tenant

    async def refusal(type: EventType) -> str:
        before = await dump(runtime)
        with pytest.raises(Problem) as refused:
            await trigger_event(runtime, tenant, type)
        assert (refused.value.code, await dump(runtime)) == ("UNSUPPORTED_ACTION", before)
        return refused.value.message

    assert await refusal("subscription.expired") == "subscription.expired cannot be triggered: a term has to pass"
    assert await refusal("subscription.past_due") == (
        "subscription.past_due needs grace_period_days: without it a failed renewal leads to on_hold"
    )
    await change_setting(runtime, tenant, "grace_period_days", "3")
    clock.advance(seconds=5)
    assert await refusal("subscription.on_hold") == (
        "subscription.on_hold cannot be triggered with grace_period_days: those days have to pass"
    )
    await trigger_event(runtime, tenant, "subscription.past_due")
    assert await told(runtime, tenant) == BEGUN + TOLD["subscription.past_due"]


def test_every_type_is_triggered_or_refused_for_a_reason() -> None:
    assert set(EVENT_TYPES) - set(TRIGGERED) == {"subscription.expired", "subscription.past_due"}


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
