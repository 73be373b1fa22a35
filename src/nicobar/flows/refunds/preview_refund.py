"""Compute what a refund would give back: the decision of a refund without the refund."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.fields import checked_metadata
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import NewRefund, PlannedRefund
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.refunds.plan_payment_refund import plan_payment_refund
from nicobar.flows.runtime import Runtime
from nicobar.storage.payments.payments import get_payment


async def preview_refund(runtime: Runtime, tenant: Tenant, new: NewRefund) -> PlannedRefund:
    """Decide as `refund_payment` would, and store nothing. Raises the same problems."""
    checked_metadata(new.metadata)
    policy = await load_policy(runtime, tenant)
    async with runtime.database.snapshot() as read:
        payment = await get_payment(read, tenant, new.payment_id)
        if payment is None:
            raise Problem("NOT_FOUND", what=f"Payment {new.payment_id}")
        plan = await plan_payment_refund(runtime, read, policy, payment, new.wish)
    return PlannedRefund(payment, plan.lines)
