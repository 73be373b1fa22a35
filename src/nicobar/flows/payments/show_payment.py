"""Show a payment with all that belongs to it."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.events.whole_payment import WholePayment
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.belongings.payment_belongings import get_payment_with_belongings


async def show_payment(runtime: Runtime, tenant: Tenant, payment_id: str) -> WholePayment:
    """Return the payment as GET shows it, with one query. Raises Problem NOT_FOUND."""
    async with runtime.database.read() as read:
        found = await get_payment_with_belongings(read, tenant, payment_id)
    if found is None:
        raise Problem("NOT_FOUND", what="Payment")
    payment, belongings = found
    return WholePayment(payment, None if payment.link_id is None else runtime.link_url(payment.link_id), *belongings)
