"""Businesses: the owners of everything else. A self-hosted server usually has one."""

from datetime import datetime
from typing import Final, Literal

from nicobar.core.business.tenant import Tenant
from nicobar.storage.database import Read, Tx

# Every key starts with the tenant, so each business is probed by its key; a self-hosted server has few.
_TENANT_OF: Final = """
SELECT o.business_id, o.mode
FROM businesses bu
CROSS JOIN unnest(ARRAY['test', 'live']) AS modes (mode)
CROSS JOIN LATERAL (
    SELECT business_id, mode FROM {table}
    WHERE business_id = bu.business_id AND mode = modes.mode AND {key} = $1 LIMIT 1
) o
LIMIT 1
"""
_KEYS: Final = {"payments": "payment_id", "products": "product_id"}


async def first_business(read: Read) -> str | None:
    """Return the id of the oldest business, or None in a new database."""
    found: str | None = await read.fetchval("SELECT business_id FROM businesses ORDER BY business_id LIMIT 1")
    return found


async def business_exists(read: Read, business_id: str) -> bool:
    """Return whether there is such a business."""
    return await read.fetchval("SELECT true FROM businesses WHERE business_id = $1", business_id) is not None


async def insert_business(tx: Tx, business_id: str, name: str, created_at: datetime) -> None:
    """Store a new business."""
    await tx.execute("INSERT INTO businesses VALUES ($1, $2, $3)", business_id, name, created_at)


async def tenant_of(read: Read, table: Literal["payments", "products"], object_id: str) -> Tenant | None:
    """Return whose payment or product this is, for visitors who bring an id alone; None when there is none with it."""
    row = await read.fetchrow(_TENANT_OF.format(table=table, key=_KEYS[table]), object_id)
    return None if row is None else Tenant(row["business_id"], row["mode"])
