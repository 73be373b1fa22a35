"""Followers see each move of a payment, a refund and a dispute in the transaction that makes it, or undo it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
import pytest
import pytest_asyncio

from disputing import facts_of
from harness import FakeClock, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.events.moves import DisputeMove, FollowedMove, PaymentMove, RefundMove
from nicobar.core.payments.payment import Attempt, Payment, Pending, Succeeded
from nicobar.core.refunds.refund import NewRefund, RefundFailed
from nicobar.flows.disputes.record_dispute import record_dispute
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.expire_payments import expire_payments
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.refunds.record_refund_outcome import record_refund_outcome
from nicobar.flows.refunds.refund_payment import refund_payment
from nicobar.flows.runtime import Follower, Runtime
from nicobar.storage.database import Read, Tx
from nicobar.storage.payments.attempts import get_attempt
from nicobar.storage.payments.payments import lock_payment
from nicobar.storage.refunds.refunds import get_refund
from orders import attempts_of, card, dump, order, paid, place, with_processors

_STATUS = {
    PaymentMove: "SELECT status FROM payments WHERE payment_id = $1",
    RefundMove: "SELECT status FROM refunds WHERE refund_id = $1",
    DisputeMove: "SELECT status FROM disputes WHERE dispute_id = $1",
}


class Following:
    """Notes every move with the status in the move's transaction, and the one that all others still see."""

    def __init__(self) -> None:
        self.moves: list[FollowedMove] = []
        self.seen: list[tuple[str | None, str | None]] = []
        self.fault: Exception | None = None

    async def __call__(self, runtime: Runtime, tx: Tx, move: FollowedMove) -> None:
        if self.fault is not None:
            raise self.fault
        self.moves.append(move)
        async with runtime.database.read() as other:
            self.seen.append((await _status(tx, move), await _status(other, move)))


async def _status(read: Read, move: FollowedMove) -> str | None:
    match move:
        case PaymentMove():
            object_id = move.payment.payment_id
        case RefundMove():
            object_id = move.refund.refund_id
        case DisputeMove():
            object_id = move.dispute.dispute_id
    status: str | None = await read.fetchval(_STATUS[type(move)], object_id)
    return status


@pytest.fixture
def following() -> Following:
    return Following()


@pytest_asyncio.fixture
async def runtime(runtime: Runtime, following: Following) -> Runtime:
    return with_processors(runtime)._replace(followers=(Follower(lambda payment: True, following),))


@pytest.fixture
def tenant(merchant: Merchant) -> Tenant:
    return merchant.tenant


async def the_attempt(runtime: Runtime, payment: Payment) -> Attempt:
    row = (await attempts_of(runtime, payment))[-1]
    async with runtime.database.read() as read:
        attempt = await get_attempt(read, payment.tenant, row["attempt_id"])
    assert attempt is not None
    return attempt


def told(following: Following) -> list[tuple[str, str | None, str | None]]:
    """Return kind, status before and event of each move."""
    return [(type(move).__name__, move.origin, move.event.type if move.event else None) for move in following.moves]


async def test_a_payment_a_refund_and_a_dispute_are_followed(
    runtime: Runtime, tenant: Tenant, following: Following, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    await confirm_payment(runtime, tenant, payment.payment_id, card("4000000000009995"))
    clock.advance(seconds=1)
    await confirm_payment(runtime, tenant, payment.payment_id, card())
    await refund_payment(runtime, tenant, NewRefund(payment.payment_id))
    attempt = await the_attempt(runtime, payment)
    facts = await facts_of(runtime, payment)
    await record_dispute(runtime, tenant, attempt, facts, clock.now())
    lost = msgspec.structs.replace(facts, status="dispute_lost")
    await record_dispute(runtime, tenant, attempt, lost, clock.now() + timedelta(seconds=1))
    assert told(following) == [
        ("PaymentMove", "processing", "payment.failed"),
        ("PaymentMove", "processing", "payment.succeeded"),
        ("RefundMove", "pending", "refund.succeeded"),
        ("DisputeMove", None, "dispute.opened"),
        ("DisputeMove", "dispute_opened", "dispute.lost"),
    ]
    assert following.seen == [
        ("failed", "processing"),
        ("succeeded", "processing"),
        ("succeeded", "pending"),
        ("dispute_opened", None),
        ("dispute_lost", "dispute_opened"),
    ]
    moved = following.moves[1]
    assert isinstance(moved, PaymentMove)
    assert (moved.payment.payment_id, moved.payment.status) == (payment.payment_id, "succeeded")


async def test_an_expired_payment_is_followed(
    runtime: Runtime, tenant: Tenant, following: Following, clock: FakeClock
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    clock.moment = payment.expires_on
    assert await expire_payments(runtime) == 1
    assert told(following) == [("PaymentMove", "requires_payment_method", "payment.cancelled")]
    assert following.seen == [("cancelled", "requires_payment_method")]


async def test_a_charge_that_becomes_pending_is_followed_once(
    runtime: Runtime, tenant: Tenant, following: Following
) -> None:
    payment = await place(runtime, order(runtime, tenant))
    await confirm_payment(runtime, tenant, payment.payment_id, card("4000000000003220"))  # waits for 3-D Secure
    assert told(following) == [("PaymentMove", "processing", None)]
    for _ in range(2):
        attempt = await the_attempt(runtime, payment)
        async with runtime.database.transaction() as tx:
            locked = await lock_payment(tx, tenant, payment.payment_id)
            assert locked is not None
            await record_payment_outcome(runtime, tx, locked, attempt, Pending("x"), runtime.now(tenant))
    assert told(following)[1:] == [("PaymentMove", "requires_customer_action", "payment.processing")]


async def _succeed(runtime: Runtime, payment: Payment) -> None:
    attempt = await the_attempt(runtime, payment)
    async with runtime.database.transaction() as tx:
        locked = await lock_payment(tx, payment.tenant, payment.payment_id)
        assert locked is not None
        await record_payment_outcome(runtime, tx, locked, attempt, Succeeded("x"), runtime.now(payment.tenant))


async def _take_refund_back(runtime: Runtime, payment: Payment) -> None:
    at = runtime.now(payment.tenant)
    async with runtime.database.transaction() as tx:
        locked = await lock_payment(tx, payment.tenant, payment.payment_id)
        refund_id = await tx.fetchval("SELECT refund_id FROM refunds")
        refund = await get_refund(tx, payment.tenant, refund_id)
        assert locked is not None and refund is not None
        later = at + timedelta(seconds=1)
        await record_refund_outcome(runtime, tx, locked, refund, RefundFailed("back", "re_1"), asked_at=later, at=later)


async def _dispute(runtime: Runtime, payment: Payment) -> None:
    facts = await facts_of(runtime, payment)
    await record_dispute(runtime, payment.tenant, await the_attempt(runtime, payment), facts, runtime.real_now())


async def _expire(runtime: Runtime, payment: Payment) -> None:
    await expire_payments(runtime)


@pytest.mark.parametrize("move", [_succeed, _take_refund_back, _dispute, _expire])
async def test_what_a_follower_raises_undoes_the_move(
    runtime: Runtime,
    tenant: Tenant,
    following: Following,
    clock: FakeClock,
    move: Callable[[Runtime, Payment], Awaitable[None]],
) -> None:
    if move is _succeed:
        payment = await place(runtime, order(runtime, tenant))
        await confirm_payment(runtime, tenant, payment.payment_id, card("4000000000003220"))
    elif move is _expire:
        payment = await place(runtime, order(runtime, tenant))
        clock.moment = payment.expires_on
    else:
        payment = await paid(runtime, tenant)
    if move is _take_refund_back:
        await refund_payment(runtime, tenant, NewRefund(payment.payment_id))
    before = await dump(runtime)
    following.fault = LookupError("the follower cannot do its part")
    with pytest.raises(LookupError, match="cannot do its part"):
        await move(runtime, payment)
    assert await dump(runtime) == before
    following.fault = None
    count = len(following.moves)
    await move(runtime, payment)
    assert len(following.moves) == count + 1
    assert await dump(runtime) != before
