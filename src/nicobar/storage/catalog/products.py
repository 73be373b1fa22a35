"""Products with their prices."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.product import Product
from nicobar.storage.database import Read, Tx

_COLUMNS: Final = """
    business_id, product_id, brand_id, name, description, image_id, tax_category, price, is_recurring, pricing_mode,
    metadata, extras, created_at, updated_at, archived_at
"""

_INSERT: Final = f"""
INSERT INTO products (mode, {_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""

_TENANT: Final = "business_id = $1 AND mode = $2"
_GET: Final = f"SELECT {_COLUMNS} FROM products WHERE {_TENANT} AND product_id = $3"
_LOCK: Final = f"{_GET} FOR NO KEY UPDATE"
_GET_MANY: Final = f"SELECT {_COLUMNS} FROM products WHERE {_TENANT} AND product_id = ANY($3::text[])"

# $1 is a JSON list of `ProductLookup`. Each product is a subquery of its own, which nothing but its key can answer.
_RECURRING: Final = """
SELECT a.number, p.product_id
FROM ROWS FROM (json_to_recordset($1) AS (business_id text, mode text, product_ids text[]))
    WITH ORDINALITY AS a(business_id, mode, product_ids, number)
CROSS JOIN LATERAL unnest(a.product_ids) AS wanted(product_id)
CROSS JOIN LATERAL (
    SELECT q.product_id, q.is_recurring FROM products q
    WHERE (q.business_id, q.mode, q.product_id) = (a.business_id, a.mode, wanted.product_id)
    LIMIT 1) p
WHERE p.is_recurring
"""

_UPDATE: Final = f"""
UPDATE products SET brand_id = $4, name = $5, description = $6, tax_category = $7, price = $8, is_recurring = $9,
                    pricing_mode = $10, metadata = $11, extras = $12, updated_at = $13, image_id = $14
WHERE {_TENANT} AND product_id = $3
"""

_ARCHIVE: Final = f"""
UPDATE products SET archived_at = $4, updated_at = $4
WHERE {_TENANT} AND product_id = $3 AND archived_at IS NULL RETURNING true
"""

_UNARCHIVE: Final = f"""
UPDATE products SET archived_at = NULL, updated_at = $4
WHERE {_TENANT} AND product_id = $3 AND archived_at IS NOT NULL RETURNING true
"""

_EXISTS: Final = f"SELECT EXISTS (SELECT FROM products WHERE {_TENANT} AND product_id = $3)"
_BRAND_HAS: Final = f"SELECT EXISTS (SELECT FROM products WHERE {_TENANT} AND brand_id = $3)"

_MOVE: Final = f"""
WITH moved AS (
    UPDATE products SET brand_id = $4, updated_at = $5 WHERE {_TENANT} AND brand_id = $3 RETURNING true
)
SELECT count(*) FROM moved
"""


async def insert_product(tx: Tx, tenant: Tenant, product: Product) -> None:
    """Store a new product; its brand must exist."""
    await tx.execute(
        _INSERT,
        tenant.mode,
        tenant.business_id,
        product.product_id,
        product.brand_id,
        product.name,
        product.description,
        product.image_id,
        product.tax_category,
        product.price,
        product.is_recurring,
        product.pricing_mode,
        product.metadata,
        product.extras,
        product.created_at,
        product.updated_at,
        product.archived_at,
    )


async def get_product(read: Read, tenant: Tenant, product_id: str) -> Product | None:
    """Return the tenant's product with this id, archived or not, or None."""
    row = await read.fetchrow(_GET, tenant.business_id, tenant.mode, product_id)
    return None if row is None else msgspec.convert(row, Product)


async def get_products(read: Read, tenant: Tenant, product_ids: Sequence[str]) -> list[Product]:
    """Return those of the tenant's products that exist among the ids, archived or not, each once, in no order."""
    rows = await read.fetch(_GET_MANY, tenant.business_id, tenant.mode, product_ids)
    return [msgspec.convert(row, Product) for row in rows]


class ProductLookup(msgspec.Struct, frozen=True):
    """Products of one tenant that are looked up."""

    business_id: str
    mode: str
    product_ids: Sequence[str]


async def find_recurring(read: Read, lookups: Sequence[ProductLookup]) -> list[set[str]]:
    """Return for each look-up those of its products that exist and are subscribed to, archived or not."""
    found: list[set[str]] = [set() for _ in lookups]
    for row in await read.fetch(_RECURRING, lookups):
        found[row["number"] - 1].add(row["product_id"])
    return found


async def lock_product(tx: Tx, tenant: Tenant, product_id: str) -> Product | None:
    """Return the product and keep it from other writers until the transaction ends."""
    row = await tx.fetchrow(_LOCK, tenant.business_id, tenant.mode, product_id)
    return None if row is None else msgspec.convert(row, Product)


async def product_exists(read: Read, tenant: Tenant, product_id: str) -> bool:
    """Return whether the tenant has a product with this id, archived or not."""
    found: bool = await read.fetchval(_EXISTS, tenant.business_id, tenant.mode, product_id)
    return found


async def update_product(tx: Tx, tenant: Tenant, product: Product) -> None:
    """Store every changeable field; archiving has statements of its own."""
    await tx.execute(
        _UPDATE,
        tenant.business_id,
        tenant.mode,
        product.product_id,
        product.brand_id,
        product.name,
        product.description,
        product.tax_category,
        product.price,
        product.is_recurring,
        product.pricing_mode,
        product.metadata,
        product.extras,
        product.updated_at,
        product.image_id,
    )


async def archive_product(tx: Tx, tenant: Tenant, product_id: str, moment: datetime) -> bool:
    """Archive a product; False when there is none to archive."""
    return await tx.fetchval(_ARCHIVE, tenant.business_id, tenant.mode, product_id, moment) is not None


async def unarchive_product(tx: Tx, tenant: Tenant, product_id: str, moment: datetime) -> bool:
    """Bring an archived product back; False when there is none to bring back."""
    return await tx.fetchval(_UNARCHIVE, tenant.business_id, tenant.mode, product_id, moment) is not None


async def brand_has_products(read: Read, tenant: Tenant, brand_id: str) -> bool:
    """Return whether any product, archived ones included, belongs to the brand."""
    found: bool = await read.fetchval(_BRAND_HAS, tenant.business_id, tenant.mode, brand_id)
    return found


async def move_products(tx: Tx, tenant: Tenant, brand_id: str, target_id: str, moment: datetime) -> int:
    """Put all products of one brand, archived ones included, under another; return their number."""
    moved: int = await tx.fetchval(_MOVE, tenant.business_id, tenant.mode, brand_id, target_id, moment)
    return moved


async def list_products(
    read: Read,
    tenant: Tenant,
    *,
    archived: bool,
    brand_id: str | None,
    recurring: bool | None,
    limit: int,
    offset: int,
) -> list[Product]:
    """Return a page of products, newest first: the archived ones or the others. None means no filter."""
    conditions = [_TENANT, f"archived_at IS {'NOT NULL' if archived else 'NULL'}"]
    values: list[Any] = [tenant.business_id, tenant.mode]
    for column, value in (("brand_id", brand_id), ("is_recurring", recurring)):
        if value is not None:
            values.append(value)
            conditions.append(f"{column} = ${len(values)}")
    query = (
        f"SELECT {_COLUMNS} FROM products WHERE {' AND '.join(conditions)} "
        f"ORDER BY product_id DESC LIMIT {limit:d} OFFSET {offset:d}"
    )
    return [msgspec.convert(row, Product) for row in await read.fetch(query, *values)]
