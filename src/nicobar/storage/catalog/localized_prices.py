"""Localized prices of products. A product has few of them, so they are listed whole."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.localized_price import LocalizedPrice
from nicobar.storage.database import Read, Tx

_COLUMNS: Final = """
    product_id, localized_price_id, pricing_mode, currency, amount, country_code, created_at, updated_at, archived_at
"""

_INSERT: Final = f"""
INSERT INTO localized_prices (business_id, mode, {_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (business_id, mode, product_id, (coalesce(country_code, currency))) WHERE archived_at IS NULL DO NOTHING
RETURNING true
"""

_PRODUCT: Final = "business_id = $1 AND mode = $2 AND product_id = $3"
_ONE: Final = f"{_PRODUCT} AND localized_price_id = $4"

_GET: Final = f"SELECT {_COLUMNS} FROM localized_prices WHERE {_ONE}"
_LOCK: Final = f"{_GET} FOR NO KEY UPDATE"

_LIST: Final = f"""
SELECT {_COLUMNS} FROM localized_prices WHERE {_PRODUCT} AND archived_at IS NULL ORDER BY localized_price_id DESC
"""

_LOAD: Final = f"""
SELECT {_COLUMNS} FROM localized_prices
WHERE business_id = $1 AND mode = $2 AND product_id = ANY($3::text[]) AND archived_at IS NULL
"""

_SET_AMOUNT: Final = f"UPDATE localized_prices SET amount = $5, updated_at = $6 WHERE {_ONE}"

_ARCHIVE: Final = f"""
UPDATE localized_prices SET archived_at = $5, updated_at = $5 WHERE {_ONE} AND archived_at IS NULL RETURNING true
"""

# A product's price is read from its row, which the same transaction may just have changed.
_ARCHIVE_MISMATCHED: Final = """
UPDATE localized_prices AS l SET archived_at = $5, updated_at = $5
FROM products AS p
WHERE l.business_id = $1 AND l.mode = $2 AND l.product_id = $3 AND l.archived_at IS NULL
  AND p.business_id = $1 AND p.mode = $2 AND p.product_id = $3
  AND (l.pricing_mode IS DISTINCT FROM $4
       OR l.pricing_mode = 'by_currency' AND l.currency = p.price ->> 'currency')
"""


async def insert_localized_price(tx: Tx, tenant: Tenant, price: LocalizedPrice) -> bool:
    """Store a new price; False when its market has an active one, which stays."""
    inserted = await tx.fetchval(
        _INSERT,
        tenant.business_id,
        tenant.mode,
        price.product_id,
        price.localized_price_id,
        price.pricing_mode,
        price.currency,
        price.amount,
        price.country_code,
        price.created_at,
        price.updated_at,
        price.archived_at,
    )
    return inserted is not None


async def get_localized_price(
    read: Read, tenant: Tenant, product_id: str, localized_price_id: str
) -> LocalizedPrice | None:
    """Return the product's price with this id, archived or not, or None."""
    row = await read.fetchrow(_GET, tenant.business_id, tenant.mode, product_id, localized_price_id)
    return None if row is None else msgspec.convert(row, LocalizedPrice)


async def lock_localized_price(
    tx: Tx, tenant: Tenant, product_id: str, localized_price_id: str
) -> LocalizedPrice | None:
    """Return the price and keep it from other writers until the transaction ends."""
    row = await tx.fetchrow(_LOCK, tenant.business_id, tenant.mode, product_id, localized_price_id)
    return None if row is None else msgspec.convert(row, LocalizedPrice)


async def list_localized_prices(read: Read, tenant: Tenant, product_id: str) -> list[LocalizedPrice]:
    """Return the active prices of a product, newest first."""
    rows = await read.fetch(_LIST, tenant.business_id, tenant.mode, product_id)
    return [msgspec.convert(row, LocalizedPrice) for row in rows]


async def load_localized_prices(
    read: Read, tenant: Tenant, product_ids: Sequence[str]
) -> dict[str, list[LocalizedPrice]]:
    """Return the active prices of several products in one query, by product id; a product without any is left out."""
    found: dict[str, list[LocalizedPrice]] = {}
    for row in await read.fetch(_LOAD, tenant.business_id, tenant.mode, product_ids):
        price = msgspec.convert(row, LocalizedPrice)
        found.setdefault(price.product_id, []).append(price)
    return found


async def set_amount(
    tx: Tx, tenant: Tenant, product_id: str, localized_price_id: str, amount: int, at: datetime
) -> None:
    """Store another amount, in minor units of the price's currency."""
    await tx.execute(_SET_AMOUNT, tenant.business_id, tenant.mode, product_id, localized_price_id, amount, at)


async def archive_localized_price(
    tx: Tx, tenant: Tenant, product_id: str, localized_price_id: str, at: datetime
) -> bool:
    """Archive a price; False when there is none to archive."""
    archived = await tx.fetchval(_ARCHIVE, tenant.business_id, tenant.mode, product_id, localized_price_id, at)
    return archived is not None


async def archive_mismatched(tx: Tx, tenant: Tenant, product_id: str, pricing_mode: str | None, at: datetime) -> None:
    """Archive the prices that no longer fit their product: call it after the changed product has been stored.

    These are all prices of another mode than `pricing_mode`, which with None are all there are, and a price by currency
    in the currency that the product's own price has now: that market has its base price.
    """
    await tx.execute(_ARCHIVE_MISMATCHED, tenant.business_id, tenant.mode, product_id, pricing_mode, at)
