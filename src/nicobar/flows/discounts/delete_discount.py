"""Delete a discount code."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.discounts import discounts


async def delete_discount(runtime: Runtime, tenant: Tenant, discount_id: str) -> None:
    """Delete a discount: nobody can use its code any more, and another discount may take the code.

    Payments that were created with it keep it and their price. Raises Problem NOT_FOUND, a second time, too.
    """
    async with runtime.database.transaction() as tx:
        if not await discounts.delete_discount(tx, tenant, discount_id, runtime.now(tenant)):
            raise Problem("NOT_FOUND", what="Discount")
        await write_audit_entry(runtime, tx, tenant, "discount.delete", [discount_id])
