"""A delivery: the frozen body, signed, in the commit of the event; the ladder; what the log keeps."""

import pytest_asyncio

from due_work import run_due
from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Payment
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.runtime import Runtime
from nicobar.storage.events.events import events_of
from orders import card, order, place, with_processors
from receiver import endpoint_at, receiving


@pytest_asyncio.fixture
async def runtime(runtime: Runtime) -> Runtime:
    return with_processors(runtime)


async def paid(runtime: Runtime, tenant: Tenant) -> Payment:
    payment = await place(runtime, order(runtime, tenant))
    await confirm_payment(runtime, tenant, payment.payment_id, card())
    return payment


async def test_a_paid_payment_arrives(runtime: Runtime, merchant: Merchant, clock: FakeClock) -> None:
    async with receiving() as receiver:
        endpoint = await endpoint_at(runtime, merchant.tenant, receiver.url)
        payment = await paid(runtime, merchant.tenant)
        await run_due(runtime)
        (got,) = receiver.got
        async with runtime.database.read() as read:
            (event,) = await events_of(read, merchant.tenant, payment.payment_id)
        assert got.body == event.payload
