"""Archive a product: nobody can buy it any more."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog import products


async def archive_product(runtime: Runtime, tenant: Tenant, product_id: str) -> None:
    """Archive a product; what was sold of it stays as it is.

    Raises Problem NOT_FOUND, and PRODUCT_IS_DELETED (410) when it is archived already.
    """
    async with runtime.database.transaction() as tx:
        if await products.archive_product(tx, tenant, product_id, runtime.now(tenant)):
            await write_audit_entry(runtime, tx, tenant, "product.archive", [product_id], ["archived_at"])
            return
        if await products.product_exists(tx, tenant, product_id):
            raise Problem("PRODUCT_IS_DELETED", status=410, product_id=product_id)
        raise Problem("NOT_FOUND", what="Product")
