"""Brands of a business. There are few of them, so they are listed whole."""

from datetime import datetime
from typing import Final, Literal

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.brand import Brand
from nicobar.storage.database import Read, Tx

_COLUMNS: Final = """
    business_id, brand_id, name, description, statement_descriptor, support_email, url, image_id, enabled, created_at,
    updated_at, archived_at
"""

_INSERT: Final = f"""
INSERT INTO brands (mode, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""

_GET: Final = f"SELECT {_COLUMNS} FROM brands WHERE business_id = $1 AND mode = $2 AND brand_id = $3"

_LOCKS: Final = {"use": f"{_GET} FOR SHARE", "change": f"{_GET} FOR UPDATE"}

_LIST: Final = f"""
SELECT {_COLUMNS} FROM brands
WHERE business_id = $1 AND mode = $2 AND ($3 OR archived_at IS NULL)
ORDER BY brand_id <> business_id, brand_id DESC
"""

_COUNT: Final = "SELECT count(*) FROM brands WHERE business_id = $1 AND mode = $2"

_UPDATE: Final = """
UPDATE brands SET name = $4, description = $5, statement_descriptor = $6, support_email = $7, url = $8,
                  updated_at = $9, archived_at = $10, image_id = $11
WHERE business_id = $1 AND mode = $2 AND brand_id = $3
"""

_RENAME_PRIMARY: Final = """
UPDATE brands SET name = $3, statement_descriptor = $4, updated_at = $5
WHERE business_id = $1 AND mode = $2 AND brand_id = business_id
"""


async def insert_brand(tx: Tx, tenant: Tenant, brand: Brand) -> None:
    """Store a new brand."""
    await tx.execute(
        _INSERT,
        tenant.mode,
        tenant.business_id,
        brand.brand_id,
        brand.name,
        brand.description,
        brand.statement_descriptor,
        brand.support_email,
        brand.url,
        brand.image_id,
        brand.enabled,
        brand.created_at,
        brand.updated_at,
        brand.archived_at,
    )


async def get_brand(read: Read, tenant: Tenant, brand_id: str) -> Brand | None:
    """Return the tenant's brand with this id, archived or not, or None."""
    row = await read.fetchrow(_GET, tenant.business_id, tenant.mode, brand_id)
    return None if row is None else msgspec.convert(row, Brand)


async def lock_brand(tx: Tx, tenant: Tenant, brand_id: str, purpose: Literal["use", "change"]) -> Brand | None:
    """Return the brand and hold it until the transaction ends.

    Many may hold it for `use` (to put a product under it); who wants to `change` it waits for them, and they for it,
    so no product can slip into a brand while it is archived.
    """
    row = await tx.fetchrow(_LOCKS[purpose], tenant.business_id, tenant.mode, brand_id)
    return None if row is None else msgspec.convert(row, Brand)


async def list_brands(read: Read, tenant: Tenant, *, include_archived: bool) -> list[Brand]:
    """Return the primary brand, then the others, newest first."""
    rows = await read.fetch(_LIST, tenant.business_id, tenant.mode, include_archived)
    return [msgspec.convert(row, Brand) for row in rows]


async def count_brands(read: Read, tenant: Tenant) -> int:
    """Return the number of brands, archived ones included."""
    count: int = await read.fetchval(_COUNT, tenant.business_id, tenant.mode)
    return count


async def update_brand(tx: Tx, tenant: Tenant, brand: Brand) -> None:
    """Store every changeable field."""
    await tx.execute(
        _UPDATE,
        tenant.business_id,
        tenant.mode,
        brand.brand_id,
        brand.name,
        brand.description,
        brand.statement_descriptor,
        brand.support_email,
        brand.url,
        brand.updated_at,
        brand.archived_at,
        brand.image_id,
    )


async def rename_primary_brand(tx: Tx, tenant: Tenant, name: str, statement_descriptor: str, moment: datetime) -> None:
    """Give the primary brand another name and text of statements; nothing else can change it."""
    await tx.execute(_RENAME_PRIMARY, tenant.business_id, tenant.mode, name, statement_descriptor, moment)
