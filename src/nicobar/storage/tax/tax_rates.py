"""A business's own tax tables, each kept as a whole; the newest one holds."""

from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.tax.tax_sheet import TaxSheet
from nicobar.storage.database import Read, Tx

_INSERT: Final = """
INSERT INTO tax_tables (business_id, mode, number, sheet, origin, imported_at)
SELECT $1, $2, 1 + count(*), $3, $4, $5 FROM tax_tables WHERE business_id = $1 AND mode = $2
"""

_NEWEST: Final = """
SELECT sheet, origin, imported_at FROM tax_tables WHERE business_id = $1 AND mode = $2 ORDER BY number DESC LIMIT 1
"""


class StoredTaxTable(msgspec.Struct, frozen=True):
    """A tax table as it was imported."""

    sheet: TaxSheet | None
    """None is the shipped table, to which the business returned."""
    origin: str
    """Where it comes from, such as the name of a file."""
    imported_at: datetime


async def insert_tax_table(tx: Tx, tenant: Tenant, sheet: TaxSheet | None, origin: str, moment: datetime) -> None:
    """Store a table, which holds from now on. The business is locked by `settings.lock_business`."""
    await tx.execute(_INSERT, tenant.business_id, tenant.mode, sheet, origin, moment)


async def newest_tax_table(read: Read, tenant: Tenant) -> StoredTaxTable | None:
    """Return the table that holds; None when the business has never imported one."""
    row = await read.fetchrow(_NEWEST, tenant.business_id, tenant.mode)
    return None if row is None else msgspec.convert(row, StoredTaxTable)
