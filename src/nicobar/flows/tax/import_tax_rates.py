"""Replace a business's tax table by the one in a CSV file."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.tax.tax_sheet import TaxSheet, read_sheet
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.reference.codes import codes
from nicobar.storage.business.settings import lock_business
from nicobar.storage.tax.tax_rates import insert_tax_table


async def import_tax_rates(runtime: Runtime, tenant: Tenant, text: str, origin: str) -> TaxSheet:
    """Store the table in a CSV text and return it; the tables before it are kept.

    `origin` says where it comes from. Raises Problem INVALID_REQUEST_PARAMETERS, which lists the wrong lines, and
    NOT_FOUND for an unknown business; the old table stays in force then.
    """
    sheet = read_sheet(text, codes().countries)
    async with runtime.database.transaction() as tx:
        if not await lock_business(tx, tenant.business_id):
            raise Problem("NOT_FOUND", what="Business")
        await insert_tax_table(tx, tenant, sheet, origin, runtime.real_now())
        await write_audit_entry(runtime, tx, tenant, "tax.import", [tenant.business_id], ["tax_table"])
    return sheet
