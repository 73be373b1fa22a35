"""The customer's bank sends a refund back that had succeeded: the refund fails after all, and its entry is reversed."""

from datetime import datetime

from nicobar.core.payments.payment import Payment
from nicobar.core.refunds.refund import Refund, RefundFailed
from nicobar.flows.ledger.book_refund_reversal import book_refund_reversal
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.refunds.refunds import move_refund


async def reverse_refund(
    runtime: Runtime, tx: Tx, payment: Payment, refund: Refund, failure: RefundFailed, asked_at: datetime, at: datetime
) -> Refund:
    """Move a succeeded refund to failed and reverse its entry in the books; return it as it is then.

    What it held of the payment is free again, so another refund can give it back. `record_refund_outcome`, the only
    caller, tells merchants and followers in the same commit.

    Raises RuntimeError when the transition table refuses the move, which rolls everything back: a bug of ours.
    """
    moved = await move_refund(tx, payment.tenant, refund, "failed", failure, asked_at, at)
    if moved is None:
        raise RuntimeError(f"{refund.refund_id} cannot move from {refund.status} to failed")
    await book_refund_reversal(runtime, tx, payment.tenant, moved, at)
    return moved
