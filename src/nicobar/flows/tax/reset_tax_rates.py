"""Return a business to the tax table that is shipped with the program."""

from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.business.settings import lock_business
from nicobar.storage.tax.tax_rates import insert_tax_table, newest_tax_table

_ORIGIN: Final = "shipped"


async def reset_tax_rates(runtime: Runtime, tenant: Tenant) -> bool:
    """Put the shipped table in force; return False when it was already. The business's own tables are kept.

    Raises Problem NOT_FOUND for an unknown business.
    """
    async with runtime.database.transaction() as tx:
        if not await lock_business(tx, tenant.business_id):
            raise Problem("NOT_FOUND", what="Business")
        newest = await newest_tax_table(tx, tenant)
        if newest is None or newest.sheet is None:
            return False
        await insert_tax_table(tx, tenant, None, _ORIGIN, runtime.real_now())
        await write_audit_entry(runtime, tx, tenant, "tax.reset", [tenant.business_id], ["tax_table"])
    return True
