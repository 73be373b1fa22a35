"""End a test payment's link at once, as if its time had passed."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.discounts.redemptions import release
from nicobar.storage.payments.hosted_pages import end_payment_link


async def end_link(runtime: Runtime, tenant: Tenant, payment_id: str) -> bool:
    """Let the link expire now; the sweep then cancels the payment like any other. False when nobody could pay it.

    The uses of its discount codes are free at once, as at every dead end. Raises Problem UNSUPPORTED_ACTION for a live
    payment: its link ends when it was said to end.
    """
    if tenant.mode != "test":
        raise Problem("UNSUPPORTED_ACTION", detail="Only the link of a test payment can be ended early")
    at = runtime.now(tenant)
    async with runtime.database.transaction() as tx:
        ended = await end_payment_link(tx, tenant, payment_id, at)
        if ended:
            await release(tx, [(tenant, payment_id)], at)
    return ended
