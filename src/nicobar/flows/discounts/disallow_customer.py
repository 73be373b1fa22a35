"""Take a customer off the list of those who may use a discount."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.discounts import discounts


async def disallow_customer(runtime: Runtime, tenant: Tenant, discount_id: str, customer_id: str) -> None:
    """Take a customer off the discount's list; payments that the customer has created keep the discount.

    Raises Problem NOT_FOUND when there is no such discount or the customer is not on its list.
    """
    async with runtime.database.transaction() as tx:
        if await discounts.get_discount(tx, tenant, discount_id) is None:
            raise Problem("NOT_FOUND", what="Discount")
        if not await discounts.disallow_customer(tx, tenant, discount_id, customer_id):
            raise Problem("NOT_FOUND", what="Customer on the discount's list")
        await write_audit_entry(runtime, tx, tenant, "discount.disallow", [discount_id, customer_id])
