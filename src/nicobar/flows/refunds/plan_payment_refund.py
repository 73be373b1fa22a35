"""Decide what a refund gives back, and who is asked to do it. A preview and a refund decide here."""

from typing import NamedTuple

from nicobar.core.payments.payment import Attempt, Payment
from nicobar.core.pricing.policy import Policy
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import RefundInstruction, RefundLine, RefundTerms
from nicobar.core.refunds.refund_plan import plan_refund, refundable_lines
from nicobar.core.subscriptions.charge_record import prorated_positions
from nicobar.flows.accounts.find_processor_of import find_processor_of
from nicobar.flows.pricing.load_settled_lines import load_settled_lines
from nicobar.flows.refunds.load_disputed_amount import load_disputed_amount
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Processor
from nicobar.reference import currencies, methods
from nicobar.reference.charge_steps import charge_step
from nicobar.storage.database import Read
from nicobar.storage.payments.attempts import paying_attempt
from nicobar.storage.refunds.refunds import refund_history
from nicobar.storage.subscriptions.charges import charges_of_payments


class RefundPlan(NamedTuple):
    """What is given back of each line, of which charge, and by whom."""

    lines: list[RefundLine]
    attempt: Attempt
    processor: Processor


async def plan_payment_refund(
    runtime: Runtime, read: Read, policy: Policy, payment: Payment, wish: RefundInstruction
) -> RefundPlan:
    """Return the plan of a refund of `payment`, which the caller has just read.

    Raises Problem as `plan_refund` does, and then UNSUPPORTED_ACTION when the processor that took the payment is not
    configured any more: no other one can give its money back.
    """
    attempt = await paying_attempt(read, payment.tenant, payment.payment_id)
    history = await refund_history(read, payment.tenant, payment.payment_id)
    kind = payment.payment_method_type
    terms = RefundTerms(
        at=runtime.now(payment.tenant),
        window_days=policy.settings.refund_window_days,
        refunds=history.refunds,
        returned_at_once=history.returned_at_once,
        disputed=await load_disputed_amount(read, payment, attempt),
        partial_allowed=kind is None or methods.get(kind).partial_refund,
        exponents=currencies.exponents(),
        step=charge_step(None if attempt is None else attempt.processor, payment.currency),
    )
    charges = await charges_of_payments(read, payment.tenant, [payment.payment_id])
    lines = refundable_lines(payment, await load_settled_lines(read, payment), prorated_positions(charges, payment))
    planned = plan_refund(payment, lines, wish, terms)
    if attempt is None:
        raise RuntimeError(f"{payment.payment_id} was paid by no attempt")
    processor = find_processor_of(runtime, policy, attempt.processor, attempt.account)
    if processor is None:
        through = f"the account {attempt.account} at {attempt.processor}" if attempt.account else attempt.processor
        detail = f"This payment was taken by {through}, which is not configured any more"
        raise Problem("UNSUPPORTED_ACTION", detail=detail)
    return RefundPlan(planned, attempt, processor)
