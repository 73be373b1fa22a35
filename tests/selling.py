"""Money that moves, for tests of the books: payments that succeed and refunds of them."""

from dataclasses import dataclass

from nicobar.core.payments.payment import Payment, Succeeded
from nicobar.flows.ledger.book_refund import book_refund
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.runtime import Runtime
from nicobar.storage.payments.payments import lock_payment
from orders import place


@dataclass(frozen=True)
class Back:
    """A refund as the books see it."""

    refund_id: str
    payment_id: str
    amount: int
    settlement_amount: int
    settlement_tax: int


async def sold(runtime: Runtime, payment: Payment) -> Payment:
    """Store a payment and let it succeed."""
    placed = await place(runtime, payment)
    async with runtime.database.transaction() as tx:
        locked = await lock_payment(tx, placed.tenant, placed.payment_id)
        assert locked is not None
        await record_payment_outcome(runtime, tx, locked, None, Succeeded("test"), runtime.clock.now())
    return placed


async def refunded(runtime: Runtime, payment: Payment, amount: int, tax: int) -> str:
    """Book a refund that nobody but the books knows of, and return its id."""
    now = runtime.clock.now()
    refund = Back(runtime.new_id("ref", now), payment.payment_id, amount, amount, tax)
    async with runtime.database.transaction() as tx:
        await book_refund(runtime, tx, payment.tenant, refund, now)
    return refund.refund_id
