"""The official Python SDK takes every type of events that is sent, and its models are filled without a doubt."""

import json
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from dodopayments import DodoPayments
from dodopayments.types import UnwrapWebhookEvent
from pydantic import TypeAdapter

from due_work import run_due
from harness import FakeClock, Merchant
from nicobar.core.events.event import EventType
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.trigger_event import TRIGGERED, trigger_event
from nicobar.storage.webhooks.delivery_log import schedule
from orders import with_processors
from receiver import endpoint_at, receiving, secret_of


@pytest_asyncio.fixture
async def runtime(runtime: Runtime, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    async def sleep(seconds: float) -> None:
        clock.advance(seconds=seconds)

    clock.moment = datetime.now(UTC)  # the SDK looks at the real clock
    monkeypatch.setattr("nicobar.flows.webhooks.trigger_event.sleep", sleep)
    return with_processors(runtime)


@pytest.mark.parametrize("type", TRIGGERED)
async def test_every_type_is_one_of_the_sdk(runtime: Runtime, merchant: Merchant, type: EventType) -> None:
    event = await trigger_event(runtime, merchant.tenant, type)
    async with receiving() as receiver:  # there only after what has led to the event
        endpoint = await endpoint_at(runtime, merchant.tenant, receiver.url)
        async with runtime.database.statement() as tx:
            await schedule(tx, merchant.tenant, [(event.event_id, endpoint.endpoint_id)], runtime.real_now())
        await run_due(runtime)
    (got,) = receiver.got
    client = DodoPayments(bearer_token="x", webhook_key=secret_of(runtime, endpoint), _strict_response_validation=True)
    unwrapped = client.webhooks.unwrap(got.body.decode(), headers=got.headers)
    strict = TypeAdapter(UnwrapWebhookEvent).validate_python(json.loads(got.body))
    assert strict.__class__ is unwrapped.__class__
    assert strict.type == type
    assert strict.data.payment_id is not None and strict.data.payment_id in event.payload.decode()
