"""Give money back: record the intent, call the processor, record the outcome.

The ladder of refusals, in this order: too many pairs of metadata, unknown payment, then that of
`core/refunds/refund_plan.py:plan_refund`, a processor that is gone. From there the refund is made.
"""

from typing import Final, NamedTuple

import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.core.fields import blank_to_none, checked_metadata
from nicobar.core.payments.payment import Payment
from nicobar.core.pricing.policy import Policy
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import NewRefund, PaymentRefund, Refund, RefundOutcome
from nicobar.flows.accounts.ask_processor import ask_processor
from nicobar.flows.accounts.require_account import require_account
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.refunds.plan_payment_refund import plan_payment_refund
from nicobar.flows.refunds.record_refund_outcome import record_refund_outcome
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Processor, RefundRequest
from nicobar.storage.database import DatabaseUnavailable, Tx
from nicobar.storage.payments.payments import lock_payment
from nicobar.storage.refunds.refunds import get_refund, insert_refund

_log = structlog.get_logger(__name__)

REFUND_TIMEOUT: Final = 30.0
"""Seconds that a processor may take to answer; then the outcome is unknown and the resolver asks again."""


class _ProcessorCall(NamedTuple):
    """What to ask of whom, for a refund that is committed."""

    payment: Payment
    refund: Refund
    processor: Processor
    request: RefundRequest


async def refund_payment(runtime: Runtime, tenant: Tenant, new: NewRefund) -> PaymentRefund:
    """Refund a payment, or items of it, and return the refund as it is when the processor has answered.

    Without an answer it is pending, and the sweep asks what became of it. The same holds when the database is lost
    between the call and its record: an error would make a merchant's program give a part back once more. The uses of
    discount codes stay used, and the fees of a payment are not given back. Raises Problem for the first check that
    fails; nothing is stored then.
    """
    checked_metadata(new.metadata)
    policy = await load_policy(runtime, tenant)
    async with runtime.database.transaction() as tx:
        call = await _record_intent(tx, runtime, policy, tenant, new)
    asked_at = runtime.real_now()
    outcome = await _refund(call)
    try:
        async with runtime.database.transaction() as tx:
            payment = await lock_payment(tx, tenant, new.payment_id) or call.payment
            refund = await get_refund(tx, tenant, call.refund.refund_id) or call.refund
            at = runtime.now(tenant)
            recorded = await record_refund_outcome(runtime, tx, payment, refund, outcome, asked_at=asked_at, at=at)
    except DatabaseUnavailable as error:
        _log.error("refund_not_recorded", refund_id=call.refund.refund_id, why=str(error))
        return PaymentRefund(call.refund, call.payment)
    return PaymentRefund(recorded, payment)


async def _record_intent(tx: Tx, runtime: Runtime, policy: Policy, tenant: Tenant, new: NewRefund) -> _ProcessorCall:
    """Walk the ladder under the payment's lock, store the refund as pending, and return the order to place."""
    payment = await lock_payment(tx, tenant, new.payment_id)
    if payment is None:
        raise Problem("NOT_FOUND", what=f"Payment {new.payment_id}")
    plan = await plan_payment_refund(runtime, tx, policy, payment, new.wish)
    await require_account(runtime, tx, tenant, plan.processor)
    at = runtime.now(tenant)
    amount = sum(line.amount for line in plan.lines)
    refund = Refund(
        refund_id=runtime.new_id("ref", at),
        payment_id=payment.payment_id,
        attempt_id=plan.attempt.attempt_id,
        status="pending",
        amount=amount,
        tax=sum(line.tax for line in plan.lines),
        currency=payment.currency,
        settlement_amount=sum(line.settlement_amount for line in plan.lines),
        settlement_tax=sum(line.settlement_tax for line in plan.lines),
        settlement_currency=payment.settlement_currency,
        is_partial=amount < payment.total_amount,
        reason=blank_to_none(new.reason),
        metadata=checked_metadata(new.metadata),
        outcome=None,
        network_reference=None,
        network_reference_type=None,
        network_reference_updated_at=None,
        created_at=at,
        resolved_at=None,
        lines=plan.lines,
    )
    await insert_refund(tx, tenant, refund)
    await write_audit_entry(runtime, tx, tenant, "refund.create", [payment.payment_id, refund.refund_id])
    return _ProcessorCall(payment, refund, plan.processor, RefundRequest(refund.refund_id, plan.attempt, amount))


async def _refund(call: _ProcessorCall) -> RefundOutcome:
    """Order the refund. Unknown says that the money may be on its way."""
    return await ask_processor(
        call.processor,
        lambda asked: asked.refund(call.request),
        REFUND_TIMEOUT,
        "refund_in_doubt",
        refund_id=call.request.refund_id,
    )
