"""The sweep that ends unpaid links."""

import asyncio
from datetime import timedelta

import pytest
import pytest_asyncio

from harness import FakeClock
from nicobar.core.business.business_clock import Reckoning
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Payment, Succeeded
from nicobar.flows.business.create_business import create_business
from nicobar.flows.payments import expire_payments as module
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.expire_payments import expire_payments
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.sweep import sweep
from nicobar.storage.payments.payment_moves import cancel_expired
from orders import attempts_of, card, order, place, reload, with_processors


@pytest_asyncio.fixture
async def runtime(runtime: Runtime) -> Runtime:
    return with_processors(runtime)


async def test_an_unpaid_payment_is_cancelled_when_its_link_ends(
    runtime: Runtime, tenant: Tenant, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    clock.moment = payment.expires_on - timedelta(microseconds=1)
    assert await expire_payments(runtime) == 0
    assert await reload(runtime, payment) == payment
    clock.moment = payment.expires_on
    assert await expire_payments(runtime) == 1
    cancelled = await reload(runtime, payment)
    assert (cancelled.status, cancelled.updated_at, cancelled.error_code) == ("cancelled", payment.expires_on, None)
    assert await expire_payments(runtime) == 0


async def test_every_seller_and_mode_is_swept(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    other = Tenant(await create_business(runtime, "Solitaire Books"), "test")
    sellers = (tenant, other, Tenant(tenant.business_id, "live"))
    payments = [await place(runtime, order(runtime, seller)) for seller in sellers]
    clock.advance(days=1)
    assert await expire_payments(runtime) == 3
    assert {(await reload(runtime, payment)).status for payment in payments} == {"cancelled"}


async def test_the_longest_ended_comes_first(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    ends = [clock.now() + timedelta(minutes=minutes) for minutes in (7, 3, 9, 1, 5)]
    payments = [await place(runtime, order(runtime, tenant, expires_on=end)) for end in ends]
    clock.advance(days=1)
    async with runtime.database.transaction() as tx:
        cancelled = [
            await cancel_expired(tx, Reckoning(clock.now()), 3),
            await cancel_expired(tx, Reckoning(clock.now()), 3),
        ]
    assert cancelled == [[(tenant, payments[index].payment_id) for index in indexes] for indexes in ((3, 1, 4), (0, 2))]


@pytest.mark.parametrize("status", ["succeeded", "cancelled", "processing", "requires_customer_action"])
async def test_other_statuses_stay(runtime: Runtime, tenant: Tenant, clock: FakeClock, status: str) -> None:
    payment = await place(runtime, order(runtime, tenant, status=status))
    clock.advance(days=2)
    assert await expire_payments(runtime) == 0
    assert await reload(runtime, payment) == payment


async def test_a_failed_payment_keeps_its_reason(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    payment = await place(runtime, order(runtime, tenant))
    await confirm_payment(runtime, tenant, payment.payment_id, card("4000000000009995"))
    clock.advance(days=2)
    assert await expire_payments(runtime) == 0
    failed = await reload(runtime, payment)
    assert (failed.status, failed.error_code) == ("failed", "INSUFFICIENT_FUNDS")


async def test_a_live_attempt_keeps_a_payment_from_being_cancelled(
    runtime: Runtime, tenant: Tenant, clock: FakeClock
) -> None:
    """Such a row cannot come from our own flows; the sweep must not trust that."""
    payment = await place(runtime, order(runtime, tenant))
    async with runtime.database.transaction() as tx:
        await tx.execute(
            "INSERT INTO attempts (business_id, mode, attempt_id, payment_id, processor, amount, currency, created_at,"
            " updated_at) VALUES ($1, $2, 'att_1', $3, 'simulator', 2400, 'USD', $4, $4)",
            payment.business_id,
            payment.mode,
            payment.payment_id,
            clock.now(),
        )
    clock.advance(days=2)
    assert await expire_payments(runtime) == 0
    assert await reload(runtime, payment) == payment


async def test_a_sweep_works_in_bounded_batches(
    runtime: Runtime, tenant: Tenant, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr(module, "ROUNDS", 3)
    payments: list[Payment] = []
    for minutes in range(8):
        expires_on = clock.now() + timedelta(minutes=minutes)
        payments.append(await place(runtime, order(runtime, tenant, expires_on=expires_on)))
    clock.advance(hours=1)
    assert await expire_payments(runtime) == 6
    left = [payment for payment in payments if (await reload(runtime, payment)).status != "cancelled"]
    assert left == payments[6:]
    assert await expire_payments(runtime) == 2


async def test_several_servers_sweep_at_once(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    for _ in range(10):
        await place(runtime, order(runtime, tenant))
    clock.advance(days=1)
    assert sum(await asyncio.gather(*(expire_payments(runtime) for _ in range(5)))) == 10


async def test_paying_and_expiring_at_once_has_one_winner(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    """The clock stands before the end for the customer, and the sweep runs at its own, later time."""
    payments = [await place(runtime, order(runtime, tenant)) for _ in range(10)]

    class LaterClock(FakeClock):
        def __init__(self) -> None:
            super().__init__("later")
            self.moment = payments[0].expires_on

    sweeping = runtime._replace(clock=LaterClock())
    outcomes = await asyncio.gather(
        *(confirm_payment(runtime, tenant, payment.payment_id, card()) for payment in payments[:5]),
        expire_payments(sweeping),
        *(confirm_payment(runtime, tenant, payment.payment_id, card()) for payment in payments[5:]),
    )
    outcomes.pop(5)
    await expire_payments(sweeping)
    for payment, confirmation in zip(payments, outcomes, strict=True):
        paid = isinstance(getattr(confirmation, "outcome", None), Succeeded)
        assert (await reload(runtime, payment)).status == ("succeeded" if paid else "cancelled")
        assert len(await attempts_of(runtime, payment)) == int(paid)


async def test_the_round_of_the_server_does_both(runtime: Runtime, tenant: Tenant, clock: FakeClock) -> None:
    unpaid = await place(runtime, order(runtime, tenant))
    challenged = await place(runtime, order(runtime, tenant))
    await confirm_payment(runtime, tenant, challenged.payment_id, card("4000002500003155"))
    clock.advance(days=1)
    await sweep(runtime)
    assert (await reload(runtime, unpaid)).status == "cancelled"
    assert (await reload(runtime, challenged)).error_code == "AUTHENTICATION_TIMEOUT"
