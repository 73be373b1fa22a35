"""Add-ons."""

from collections.abc import Sequence
from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.addon import Addon
from nicobar.storage.database import Read, Tx

_COLUMNS: Final = """
    business_id, addon_id, name, description, price, currency, tax_category, image_id, created_at, updated_at,
    archived_at
"""
_TENANT: Final = "business_id = $1 AND mode = $2"
_INSERT: Final = f"INSERT INTO addons (mode, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
_GET_MANY: Final = f"SELECT {_COLUMNS} FROM addons WHERE {_TENANT} AND addon_id = ANY($3::text[])"
_LOCK: Final = f"SELECT {_COLUMNS} FROM addons WHERE {_TENANT} AND addon_id = $3 FOR NO KEY UPDATE"
_UPDATE: Final = f"""
UPDATE addons SET name = $4, description = $5, price = $6, currency = $7, tax_category = $8, image_id = $9,
                  updated_at = $10, archived_at = $11
WHERE {_TENANT} AND addon_id = $3
"""


async def insert_addon(tx: Tx, tenant: Tenant, addon: Addon) -> None:
    """Store a new add-on."""
    await tx.execute(
        _INSERT,
        tenant.mode,
        tenant.business_id,
        addon.addon_id,
        addon.name,
        addon.description,
        addon.price,
        addon.currency,
        addon.tax_category,
        addon.image_id,
        addon.created_at,
        addon.updated_at,
        addon.archived_at,
    )


async def get_addons(read: Read, tenant: Tenant, addon_ids: Sequence[str]) -> list[Addon]:
    """Return those of the tenant's add-ons that exist among the ids, archived or not, in no order."""
    rows = await read.fetch(_GET_MANY, tenant.business_id, tenant.mode, addon_ids)
    return [msgspec.convert(row, Addon) for row in rows]


async def lock_addon(tx: Tx, tenant: Tenant, addon_id: str) -> Addon | None:
    """Return the add-on and keep it from other writers until the transaction ends."""
    row = await tx.fetchrow(_LOCK, tenant.business_id, tenant.mode, addon_id)
    return None if row is None else msgspec.convert(row, Addon)


async def update_addon(tx: Tx, tenant: Tenant, addon: Addon) -> None:
    """Store everything that can change."""
    await tx.execute(
        _UPDATE,
        tenant.business_id,
        tenant.mode,
        addon.addon_id,
        addon.name,
        addon.description,
        addon.price,
        addon.currency,
        addon.tax_category,
        addon.image_id,
        addon.updated_at,
        addon.archived_at,
    )


async def list_addons(read: Read, tenant: Tenant, *, archived: bool, limit: int, offset: int) -> list[Addon]:
    """Return a page of add-ons, newest first: the archived ones or the others."""
    query = (
        f"SELECT {_COLUMNS} FROM addons WHERE {_TENANT} AND archived_at IS {'NOT NULL' if archived else 'NULL'} "
        f"ORDER BY addon_id DESC LIMIT {limit:d} OFFSET {offset:d}"
    )
    return [msgspec.convert(row, Addon) for row in await read.fetch(query, tenant.business_id, tenant.mode)]
