"""End the payments whose link has expired unpaid."""

from typing import Final

import structlog

from nicobar.flows.runtime import Runtime
from nicobar.storage.hosted_pages import cancel_expired

_log = structlog.get_logger(__name__)

BATCH: Final = 500
"""Payments that one transaction cancels, so that none holds its locks for long."""

ROUNDS: Final = 20
"""Transactions of one sweep; what is left then waits for the next."""


async def expire_payments(runtime: Runtime) -> int:
    """Cancel unpaid payments that nobody can pay any more; return how many.

    Only `requires_payment_method` without a live attempt is cancelled. A failed payment stays failed: the contract
    knows no way from there to cancelled, and its reason is worth keeping.
    """
    cancelled = 0
    for _ in range(ROUNDS):
        async with runtime.database.statement() as tx:
            batch = await cancel_expired(tx, runtime.clock.now(), BATCH)
        cancelled += len(batch)
        if len(batch) < BATCH:
            break
    if cancelled:
        _log.info("payments_expired", count=cancelled)
    return cancelled
