"""Find out how a refund ended that is still in doubt: after a time-out, a crash, or a pending answer."""

from datetime import datetime

import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Attempt, Unknown
from nicobar.core.refunds.refund import Refund, RefundOutcome
from nicobar.flows.accounts.ask_processor import ANSWER_TIMEOUT, ask_processor
from nicobar.flows.accounts.find_processor_of import find_processor_of
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.payments.ask_about_attempt import SILENCE
from nicobar.flows.refunds.record_refund_outcome import record_refund_outcome
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Processor, RefundRequest
from nicobar.storage.payments.attempts import get_attempt
from nicobar.storage.payments.payments import lock_payment
from nicobar.storage.refunds.refunds import claim_refund, get_refund

_log = structlog.get_logger(__name__)


async def resolve_refund(
    runtime: Runtime, tenant: Tenant, refund_id: str, *, told_by: str | None = None
) -> RefundOutcome | None:
    """Ask the processor about a refund and return its answer, after it was recorded.

    None means that nobody was asked: there is no such refund, or there was news of it within `SILENCE`, or another
    process asks at this moment. With `told_by`, the name of a processor that sent a notice about it, it is asked at
    once, also about a refund that has ended, since one that succeeded may have come back; None says then that the
    refund is none of that processor's.

    An order that the processor has never heard of is placed again once the refund has been silent for `SILENCE`: the
    same id gives money back once, however often it is ordered. A failure to answer is Unknown, which changes nothing.
    """
    now = runtime.now(tenant)
    async with runtime.database.snapshot() as read:
        refund = await get_refund(read, tenant, refund_id)
        attempt = None if refund is None else await get_attempt(read, tenant, refund.attempt_id)
    if refund is None or attempt is None or told_by not in (None, attempt.processor):
        return None
    if told_by is None:
        async with runtime.database.statement() as tx:
            if not await claim_refund(tx, tenant, refund_id, now - SILENCE, now):
                return None
    asked_at = runtime.real_now()
    outcome = await _ask(runtime, tenant, refund, attempt, now)
    async with runtime.database.transaction() as tx:
        payment = await lock_payment(tx, tenant, refund.payment_id)
        stored = await get_refund(tx, tenant, refund_id)
        if payment is not None and stored is not None and outcome != stored.outcome:
            at = runtime.now(tenant)
            await record_refund_outcome(runtime, tx, payment, stored, outcome, asked_at=asked_at, at=at)
    return outcome


async def _ask(runtime: Runtime, tenant: Tenant, refund: Refund, attempt: Attempt, now: datetime) -> RefundOutcome:
    processor = find_processor_of(runtime, await load_policy(runtime, tenant), attempt.processor, attempt.account)
    if processor is None:
        _log.warning("processor_not_configured", refund_id=refund.refund_id, processor=attempt.processor)
        return Unknown("processor not configured")
    request = RefundRequest(refund.refund_id, attempt, refund.amount)

    async def find_or_place(asked: Processor) -> RefundOutcome | None:
        found = await asked.find_refund(request)
        if found is None and refund.status == "pending" and now - refund.created_at >= SILENCE:
            found = await asked.refund(request)
        return found

    found = await ask_processor(processor, find_or_place, ANSWER_TIMEOUT, "refund_in_doubt", refund_id=refund.refund_id)
    return found or Unknown("the order may still be on its way")
