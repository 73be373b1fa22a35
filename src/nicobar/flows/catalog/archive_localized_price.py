"""Archive a localized price: its market goes back to the base price."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog import localized_prices


async def archive_localized_price(runtime: Runtime, tenant: Tenant, product_id: str, localized_price_id: str) -> None:
    """Archive a price; one that is archived already stays as it is. Raises Problem NOT_FOUND."""
    moment = runtime.now(tenant)
    async with runtime.database.transaction() as tx:
        if await localized_prices.archive_localized_price(tx, tenant, product_id, localized_price_id, moment):
            ids = [product_id, localized_price_id]
            await write_audit_entry(runtime, tx, tenant, "localized_price.archive", ids, ["archived_at"])
            return
        if await localized_prices.get_localized_price(tx, tenant, product_id, localized_price_id) is None:
            raise Problem("NOT_FOUND", what="Localized price")
