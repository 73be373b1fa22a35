"""Ending a test payment's link early, which a live payment never knows."""

from datetime import timedelta

import pytest

from harness import FakeClock
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import PaymentStatus
from nicobar.core.problems import Problem
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.end_link import end_link
from nicobar.flows.payments.expire_payments import expire_payments
from nicobar.flows.runtime import Runtime
from orders import card, order, place, reload


async def test_a_test_link_ends_now_and_the_sweep_cancels_it(
    runtime: Runtime, tenant: Tenant, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    other = await place(runtime, order(runtime, tenant))
    at = clock.advance(minutes=1)
    assert await end_link(runtime, tenant, payment.payment_id)
    ended = await reload(runtime, payment)
    assert (ended.status, ended.expires_on, ended.updated_at) == ("requires_payment_method", at, at)
    assert await expire_payments(runtime) == 1
    assert (await reload(runtime, payment)).status == "cancelled"
    assert await reload(runtime, other) == other
    assert not await end_link(runtime, tenant, payment.payment_id)


async def test_a_failed_payment_cannot_be_tried_again_either(
    runtime: Runtime, tenant: Tenant, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    await confirm_payment(runtime, tenant, payment.payment_id, card("4000000000000002"))
    assert await end_link(runtime, tenant, payment.payment_id)
    ended = await reload(runtime, payment)
    assert (ended.status, ended.expires_on) == ("failed", clock.now())
    assert (await confirm_payment(runtime, tenant, payment.payment_id, card())).outcome is None


@pytest.mark.parametrize("status", ["succeeded", "processing", "requires_customer_action", "cancelled"])
async def test_what_nobody_can_pay_stays_as_it_is(runtime: Runtime, tenant: Tenant, status: PaymentStatus) -> None:
    payment = await place(runtime, order(runtime, tenant, status=status))
    assert not await end_link(runtime, tenant, payment.payment_id)
    assert await reload(runtime, payment) == payment


async def test_an_expired_link_keeps_its_time(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    payment = await place(runtime, order(runtime, tenant, expires_on=clock.now() - timedelta(hours=1)))
    assert not await end_link(runtime, tenant, payment.payment_id)
    assert await reload(runtime, payment) == payment


async def test_a_live_link_is_never_ended_early(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    live = Tenant(tenant.business_id, "live")
    payment = await place(runtime, order(runtime, live))
    with pytest.raises(Problem, match="UNSUPPORTED_ACTION"):
        await end_link(runtime, live, payment.payment_id)
    assert not await end_link(runtime, tenant, payment.payment_id)
    assert await reload(runtime, payment) == payment
