"""The official Python SDK takes every type of events that is sent, and its models are filled without a doubt."""

import json
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from dodopayments import DodoPayments
from dodopayments.types import UnwrapWebhookEvent
from pydantic import TypeAdapter
from starlette.types import ASGIApp

from api.subscriptions.subscribing import open_club
from due_work import run_due
from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.events.event import Event, EventType
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.trigger_event import TRIGGERED, trigger_event
from nicobar.storage.events.events import events_of
from nicobar.storage.webhooks.delivery_log import schedule
from orders import with_processors
from receiver import endpoint_at, receiving, secret_of

ID_OF = {
    "payment": "payment_id",
    "refund": "refund_id",
    "dispute": "dispute_id",
    "subscription": "subscription_id",
}
"""The field of an object that has its own id."""


@pytest_asyncio.fixture
async def runtime(runtime: Runtime, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    async def sleep(seconds: float) -> None:
        clock.advance(seconds=seconds)

    clock.moment = datetime.now(UTC)  # the SDK looks at the real clock
    for module in ("trigger_event", "trigger_subscription"):
        monkeypatch.setattr(f"nicobar.flows.webhooks.{module}.sleep", sleep)
    return with_processors(runtime)


@pytest.mark.parametrize("type", TRIGGERED)
async def test_every_type_is_one_of_the_sdk(runtime: Runtime, merchant: Merchant, type: EventType) -> None:
    event = await trigger_event(runtime, merchant.tenant, type)
    await taken_by_the_sdk(runtime, merchant.tenant, event)


async def test_a_past_due_subscription_is_one_of_the_sdk(
    runtime: Runtime, merchant: Merchant, clock: FakeClock
) -> None:
    await change_setting(runtime, merchant.tenant, "grace_period_days", "3")
    clock.advance(seconds=5)
    await taken_by_the_sdk(
        runtime, merchant.tenant, await trigger_event(runtime, merchant.tenant, "subscription.past_due")
    )


async def test_an_expired_subscription_is_one_of_the_sdk(
    runtime: Runtime, app: ASGIApp, merchant: Merchant, clock: FakeClock
) -> None:
    club = open_club(merchant, app, runtime, clock)
    clock.correct(days=-1)  # the SDK looks at the real clock, and a day is the shortest term
    day = {"subscription_period_count": 1, "subscription_period_interval": "Day", "payment_frequency_interval": "Day"}
    own = await club.subscribe(await club.product(**day))
    await club.work(days=1)
    async with runtime.database.read() as read:
        events = await events_of(read, merchant.tenant, own["subscription_id"])
    assert events[-1].type == "subscription.expired"
    await taken_by_the_sdk(runtime, merchant.tenant, events[-1])


async def taken_by_the_sdk(runtime: Runtime, tenant: Tenant, event: Event) -> None:
    """Deliver an event, and let the SDK verify it and fill its models."""
    async with receiving() as receiver:  # there only after what has led to the event
        endpoint = await endpoint_at(runtime, tenant, receiver.url)
        async with runtime.database.statement() as tx:
            await schedule(tx, tenant, [(event.event_id, endpoint.endpoint_id)], runtime.real_now())
        await run_due(runtime)
    (got,) = receiver.got
    client = DodoPayments(bearer_token="x", webhook_key=secret_of(runtime, endpoint), _strict_response_validation=True)
    unwrapped = client.webhooks.unwrap(got.body.decode(), headers=got.headers)
    strict = TypeAdapter(UnwrapWebhookEvent).validate_python(json.loads(got.body))
    assert strict.__class__ is unwrapped.__class__
    assert strict.type == event.type
    assert getattr(strict.data, ID_OF[event.type.partition(".")[0]]) == event.object_id
