"""Record what a processor says about a dispute: the dispute, the books and the event, in one commit."""

from datetime import datetime

import msgspec
import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.core.disputes.dispute import Dispute, DisputeFacts, later_stage
from nicobar.core.events.event import DISPUTE_EVENTS, DisputedPayment
from nicobar.core.events.moves import DisputeMove
from nicobar.core.payments.payment import Attempt
from nicobar.flows.events.tell_followers import tell_followers
from nicobar.flows.events.write_event import write_event
from nicobar.flows.ledger.book_dispute import book_dispute
from nicobar.flows.runtime import Runtime
from nicobar.storage.disputes.disputes import find_dispute, insert_dispute, move_dispute
from nicobar.storage.payments.attempts import paying_attempt
from nicobar.storage.payments.payments import lock_payment

_log = structlog.get_logger(__name__)


async def record_dispute(
    runtime: Runtime, tenant: Tenant, attempt: Attempt, facts: DisputeFacts, asked_at: datetime
) -> bool:
    """Store a dispute of an attempt's charge, or move it to where the processor says it is; return whether anything
    changed.

    `attempt` has succeeded, and `asked_at` is when the processor was asked for the facts. It all happens under the
    lock of the payment. Facts that came before, facts that were asked for before those that are stored, and moves
    that the transition table does not have change nothing. The amount stays what was disputed at first. A charge that
    did not pay its payment never came into the books, so nothing of it leaves them.

    A later stage is reported by the event of its status, even when that is the status of before: it has to be answered
    again, and `dispute_stage` in the event tells the two apart.

    A disputed payment can still be refunded, but only what no dispute holds (`flows/refunds/refund_payment.py`): the
    bank gives the customer the disputed part, and nobody may get it twice.
    """
    async with runtime.database.transaction() as tx:
        payment = await lock_payment(tx, tenant, attempt.payment_id)
        if payment is None:
            return False
        at = runtime.now(tenant)
        before = await find_dispute(tx, tenant, attempt.processor, facts.reference)
        if before is None:
            dispute = _opened(runtime, tenant, attempt, facts, at)
            await insert_dispute(tx, dispute, asked_at)
        else:
            moved = await move_dispute(tx, _moved(before, facts, at), asked_at)
            if moved is None:
                return False
            dispute = moved
        paying = await paying_attempt(tx, tenant, attempt.payment_id)
        if payment.status == "succeeded" and paying is not None and paying.attempt_id == dispute.attempt_id:
            await book_dispute(runtime, tx, payment, dispute, at)
        type = DISPUTE_EVENTS[dispute.status]
        event = await write_event(runtime, tx, tenant, type, DisputedPayment(dispute, payment), at)
        origin = None if before is None else before.status
        await tell_followers(runtime, tx, DisputeMove(dispute, payment, origin, event))
    _log.info(
        "dispute_moved",
        dispute_id=dispute.dispute_id,
        payment_id=dispute.payment_id,
        origin=origin,
        status=dispute.status,
        stage=dispute.stage,
    )
    return True


def _moved(before: Dispute, facts: DisputeFacts, at: datetime) -> Dispute:
    """Return the dispute as the facts have it.

    An earlier stage than the stored one counts as the stored one: processors call a dispute won or lost without saying
    in which stage.
    """
    stage = later_stage(before.stage, facts.stage)
    return msgspec.structs.replace(before, stage=stage, status=facts.status, updated_at=at)


def _opened(runtime: Runtime, tenant: Tenant, attempt: Attempt, facts: DisputeFacts, at: datetime) -> Dispute:
    return Dispute(
        business_id=tenant.business_id,
        mode=tenant.mode,
        dispute_id=runtime.new_id("dp", facts.opened_at),
        payment_id=attempt.payment_id,
        attempt_id=attempt.attempt_id,
        processor=attempt.processor,
        reference=facts.reference,
        amount=facts.amount,
        currency=facts.currency,
        stage=facts.stage,
        status=facts.status,
        reason=facts.reason,
        created_at=facts.opened_at,
        updated_at=at,
    )
