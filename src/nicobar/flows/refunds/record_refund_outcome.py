"""The one door through which a refund reaches its end: what a processor said becomes a status, in one transaction."""

from datetime import datetime

import structlog

from nicobar.core.events.event import REFUND_EVENTS
from nicobar.core.events.moves import RefundMove
from nicobar.core.payments.payment import Payment, Unknown
from nicobar.core.refunds.refund import (
    PaymentRefund,
    Refund,
    RefundFailed,
    RefundOutcome,
    RefundSucceeded,
    is_superseded,
    status_after,
)
from nicobar.flows.events.tell_followers import tell_followers
from nicobar.flows.events.write_event import write_event
from nicobar.flows.ledger.book_refund import book_refund
from nicobar.flows.refunds.reverse_refund import reverse_refund
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.refunds.refunds import move_refund, set_network_reference, set_refund_outcome

_log = structlog.get_logger(__name__)


async def record_refund_outcome(
    runtime: Runtime,
    tx: Tx,
    payment: Payment,
    refund: Refund,
    outcome: RefundOutcome,
    *,
    asked_at: datetime,
    at: datetime,
) -> Refund:
    """Store what the processor said, move the refund and notify about it; return the refund as it is then.

    The caller holds the payment's row (`lock_payment`) and read `refund` under that lock; `asked_at` is when the
    processor was asked. The status, what the refund takes of the payment, the books, the event and what followers do
    are one commit. A doubt never replaces something that the processor has said, and neither does an older answer.

    A refund that succeeded and came back fails (`reverse_refund`). A refund that failed keeps its end, because its
    money may have gone back by another one since: when the processor calls it successful later, that is kept as its
    last word, and `nicobar doctor` reports it until somebody has seen to it.
    """
    target = status_after(outcome)
    if target == "pending":
        if refund.status == "pending" and not (isinstance(outcome, Unknown) and refund.outcome is not None):
            await set_refund_outcome(tx, payment.tenant, refund.refund_id, outcome, asked_at, at)
        return refund
    if is_superseded(refund, outcome, asked_at):
        return refund
    if target == refund.status:
        if isinstance(outcome, RefundSucceeded) and outcome.network_reference not in (None, refund.network_reference):
            return await set_network_reference(tx, payment.tenant, refund, outcome, asked_at, at)
        await set_refund_outcome(tx, payment.tenant, refund.refund_id, outcome, asked_at, at)
        return refund
    if refund.status == "succeeded" and isinstance(outcome, RefundFailed):
        moved = await reverse_refund(runtime, tx, payment, refund, outcome, asked_at, at)
    else:
        ended = await move_refund(tx, payment.tenant, refund, target, outcome, asked_at, at)
        if ended is None:
            await set_refund_outcome(tx, payment.tenant, refund.refund_id, outcome, asked_at, at)
            _log.error("refund_ended_otherwise", refund_id=refund.refund_id, status=refund.status, told=target)
            return refund
        moved = ended
        if moved.status == "succeeded":
            await book_refund(runtime, tx, payment.tenant, moved, at)
    type = REFUND_EVENTS[moved.status]
    event = await write_event(runtime, tx, payment.tenant, type, PaymentRefund(moved, payment), at)
    await tell_followers(runtime, tx, RefundMove(moved, payment, refund.status, event))
    _log.info(
        "refund_moved",
        refund_id=moved.refund_id,
        payment_id=payment.payment_id,
        origin=refund.status,
        status=moved.status,
    )
    return moved
