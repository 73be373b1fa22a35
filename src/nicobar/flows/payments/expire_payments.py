"""End the payments whose link has expired unpaid."""

from typing import Final

import structlog

from nicobar.core.business.business_clock import Reckoning
from nicobar.core.events.moves import PaymentMove
from nicobar.flows.business_time.list_reckonings import list_reckonings
from nicobar.flows.events.load_whole_payment import load_whole_payment
from nicobar.flows.events.tell_followers import tell_followers
from nicobar.flows.events.write_event import write_event
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.discounts.redemptions import release
from nicobar.storage.payments.payment_moves import cancel_expired
from nicobar.storage.payments.payments import get_payment

_log = structlog.get_logger(__name__)

BATCH: Final = 100
"""Payments that one transaction cancels, so that none holds its locks for long."""

ROUNDS: Final = 100
"""Transactions of one sweep; what is left then waits for the next."""


async def expire_payments(runtime: Runtime, only: Reckoning | None = None) -> int:
    """Cancel unpaid payments that nobody can pay any more, and write an event for each; return how many.

    One query finds those of all that live in real time, and one those of each test mode with a clock of its own;
    `only` limits it to one of them.

    Only `requires_payment_method` without a live attempt is cancelled. A failed payment stays failed: the contract
    knows no way from there to cancelled, and its reason is worth keeping.
    """
    cancelled = 0
    for reckoning in await list_reckonings(runtime) if only is None else [only]:
        cancelled += await _expire(runtime, reckoning)
    if cancelled:
        _log.info("payments_expired", count=cancelled)
    return cancelled


async def _expire(runtime: Runtime, reckoning: Reckoning) -> int:
    cancelled = 0
    for _ in range(ROUNDS):
        async with runtime.database.transaction() as tx:
            batch = await _cancel_some(runtime, tx, reckoning)
        cancelled += batch
        if batch < BATCH:
            break
    return cancelled


async def _cancel_some(runtime: Runtime, tx: Tx, reckoning: Reckoning) -> int:
    """Cancel at most `BATCH` payments and give their codes back, each with its event; return how many."""
    at, batch = reckoning.now, await cancel_expired(tx, reckoning, BATCH)
    if batch:
        await release(tx, batch, at)
    for tenant, payment_id in batch:
        payment = await get_payment(tx, tenant, payment_id)
        if payment is not None:
            whole = await load_whole_payment(runtime, tx, payment)
            event = await write_event(runtime, tx, tenant, "payment.cancelled", whole, at)
            await tell_followers(runtime, tx, PaymentMove(payment, "requires_payment_method", event))
    return len(batch)
