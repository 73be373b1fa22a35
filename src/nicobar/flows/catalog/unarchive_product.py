"""Bring an archived product back."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog import products


async def unarchive_product(runtime: Runtime, tenant: Tenant, product_id: str) -> None:
    """Make a product buyable again; one that is not archived stays as it is. Raises Problem NOT_FOUND."""
    async with runtime.database.transaction() as tx:
        if await products.unarchive_product(tx, tenant, product_id, runtime.now(tenant)):
            await write_audit_entry(runtime, tx, tenant, "product.unarchive", [product_id], ["archived_at"])
            return
        if not await products.product_exists(tx, tenant, product_id):
            raise Problem("NOT_FOUND", what="Product")
