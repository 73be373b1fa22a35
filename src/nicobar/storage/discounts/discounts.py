"""Discounts, and the customers that a discount is kept for. What payments did with them is in `redemptions.py`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.discounts.discount_record import DiscountRecord
from nicobar.storage.database import Read, Tx

_COLUMNS: Final = """
    business_id, discount_id, code, name, type, amount, currency_options, restricted_to, usage_limit,
    per_customer_usage_limit, starts_at, expires_at, customer_eligibility, subscription_cycles,
    preserve_on_plan_change, metadata, times_used, times_reserved, created_at, updated_at
"""

_TENANT: Final = "business_id = $1 AND mode = $2"
_ALIVE: Final = f"{_TENANT} AND deleted_at IS NULL"

_INSERT: Final = f"""
INSERT INTO discounts (mode, {_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
"""

_GET: Final = f"SELECT {_COLUMNS} FROM discounts WHERE {_ALIVE} AND discount_id = $3"
_BY_CODE: Final = f"SELECT {_COLUMNS} FROM discounts WHERE {_ALIVE} AND code = $3"
_LOCK: Final = f"{_GET} FOR NO KEY UPDATE"

# The counters belong to the redemptions. A limit below what is used and reserved stands: it stops further uses.
_UPDATE: Final = f"""
UPDATE discounts SET
    code = $4, name = $5, type = $6, amount = $7, currency_options = $8, restricted_to = $9, usage_limit = $10,
    per_customer_usage_limit = $11, starts_at = $12, expires_at = $13, customer_eligibility = $14,
    subscription_cycles = $15, preserve_on_plan_change = $16, metadata = $17, updated_at = $18,
    over_limit = coalesce(times_used + times_reserved > $10, false)
WHERE {_TENANT} AND discount_id = $3
"""

_DELETE: Final = f"""
UPDATE discounts SET deleted_at = $4, updated_at = $4 WHERE {_ALIVE} AND discount_id = $3 RETURNING true
"""

_REDEEMABLE: Final = """
coalesce(starts_at <= {now}, true) AND coalesce(expires_at > {now}, true)
AND coalesce(times_used + times_reserved < usage_limit, true)
"""

_UNKNOWN: Final = """
SELECT id FROM unnest($3::text[]) AS given (id)
WHERE NOT EXISTS (SELECT FROM {table} WHERE business_id = $1 AND mode = $2 AND {column} = given.id)
"""
_UNKNOWN_PRODUCTS: Final = _UNKNOWN.format(table="products", column="product_id")
_UNKNOWN_CUSTOMERS: Final = _UNKNOWN.format(table="customers", column="customer_id")

# In one order, so that two calls that share customers cannot wait for each other.
_ALLOW: Final = """
INSERT INTO discount_customers (business_id, mode, discount_id, customer_id, created_at)
SELECT $1, $2, $3, id, $5 FROM unnest($4::text[]) AS given (id) ORDER BY id
ON CONFLICT DO NOTHING
"""

_DISALLOW: Final = f"""
DELETE FROM discount_customers WHERE {_TENANT} AND discount_id = $3 AND customer_id = $4 RETURNING true
"""

_ALLOWED: Final = f"""
SELECT customer_id FROM discount_customers WHERE {_TENANT} AND discount_id = $3
ORDER BY customer_id DESC LIMIT $4 OFFSET $5
"""


async def insert_discount(tx: Tx, tenant: Tenant, discount: DiscountRecord) -> None:
    """Store a new discount.

    Raises UniqueViolation `discounts_code`, at the end of the block, when another one has the code.
    """
    await tx.execute(
        _INSERT,
        tenant.mode,
        tenant.business_id,
        discount.discount_id,
        *_changeable(discount),
        discount.times_used,
        discount.times_reserved,
        discount.created_at,
        discount.updated_at,
    )


async def get_discount(read: Read, tenant: Tenant, discount_id: str) -> DiscountRecord | None:
    """Return the tenant's discount with this id, or None when there is none or it is deleted."""
    row = await read.fetchrow(_GET, tenant.business_id, tenant.mode, discount_id)
    return None if row is None else msgspec.convert(row, DiscountRecord)


async def find_by_code(read: Read, tenant: Tenant, code: str) -> DiscountRecord | None:
    """Return the tenant's discount with this code (see `core.discounts.discounts.normalise_code`), or None."""
    row = await read.fetchrow(_BY_CODE, tenant.business_id, tenant.mode, code)
    return None if row is None else msgspec.convert(row, DiscountRecord)


async def lock_discount(tx: Tx, tenant: Tenant, discount_id: str) -> DiscountRecord | None:
    """Return the discount and keep it from other writers, reservations too, until the transaction ends."""
    row = await tx.fetchrow(_LOCK, tenant.business_id, tenant.mode, discount_id)
    return None if row is None else msgspec.convert(row, DiscountRecord)


async def update_discount(tx: Tx, tenant: Tenant, discount: DiscountRecord) -> None:
    """Store every changeable field.

    Raises UniqueViolation `discounts_code`, at the end of the block, when another one has the code.
    """
    await tx.execute(
        _UPDATE,
        tenant.business_id,
        tenant.mode,
        discount.discount_id,
        *_changeable(discount),
        discount.updated_at,
    )


def _changeable(discount: DiscountRecord) -> list[Any]:
    return [
        discount.code,
        discount.name,
        discount.type,
        discount.amount,
        discount.currency_options,
        discount.restricted_to,
        discount.usage_limit,
        discount.per_customer_usage_limit,
        discount.starts_at,
        discount.expires_at,
        discount.customer_eligibility,
        discount.subscription_cycles,
        discount.preserve_on_plan_change,
        discount.metadata,
    ]


async def delete_discount(tx: Tx, tenant: Tenant, discount_id: str, moment: datetime) -> bool:
    """Delete a discount for everybody but the payments that used it; False when there is none to delete."""
    return await tx.fetchval(_DELETE, tenant.business_id, tenant.mode, discount_id, moment) is not None


async def list_discounts(
    read: Read,
    tenant: Tenant,
    *,
    active: bool | None,
    code: str | None,
    discount_type: str | None,
    product_id: str | None,
    now: datetime,
    limit: int,
    offset: int,
) -> list[DiscountRecord]:
    """Return a page of discounts, newest first. None means no filter.

    `active` asks whether a code can be redeemed `now`: it has started, has not expired and has uses left. `code` is a
    part of the code in upper case. `product_id` keeps what applies to the product: restricted to it, or unrestricted.
    """
    conditions = [_ALIVE]
    values: list[Any] = [tenant.business_id, tenant.mode]
    for template, value in (
        ("strpos(code, {}) > 0", code),
        ("type = {}", discount_type),
        ("(restricted_to = '{{}}' OR {} = ANY(restricted_to))", product_id),
    ):
        if value is not None:
            values.append(value)
            conditions.append(template.format(f"${len(values)}"))
    if active is not None:
        values.append(now)
        conditions.append(f"({_REDEEMABLE.format(now=f'${len(values)}')}) = {active}")
    query = (
        f"SELECT {_COLUMNS} FROM discounts WHERE {' AND '.join(conditions)} "
        f"ORDER BY discount_id DESC LIMIT {limit:d} OFFSET {offset:d}"
    )
    return [msgspec.convert(row, DiscountRecord) for row in await read.fetch(query, *values)]


async def unknown_products(read: Read, tenant: Tenant, product_ids: Sequence[str]) -> set[str]:
    """Return those of the ids that no product of the tenant has; an archived product is known."""
    rows = await read.fetch(_UNKNOWN_PRODUCTS, tenant.business_id, tenant.mode, product_ids)
    return {row["id"] for row in rows}


async def unknown_customers(read: Read, tenant: Tenant, customer_ids: Sequence[str]) -> set[str]:
    """Return those of the ids that no customer of the tenant has."""
    rows = await read.fetch(_UNKNOWN_CUSTOMERS, tenant.business_id, tenant.mode, customer_ids)
    return {row["id"] for row in rows}


async def allow_customers(
    tx: Tx, tenant: Tenant, discount_id: str, customer_ids: Sequence[str], moment: datetime
) -> None:
    """Put existing customers on the discount's list; who is there already stays."""
    await tx.execute(_ALLOW, tenant.business_id, tenant.mode, discount_id, customer_ids, moment)


async def disallow_customer(tx: Tx, tenant: Tenant, discount_id: str, customer_id: str) -> bool:
    """Take a customer off the discount's list; False when the customer is not on it."""
    return await tx.fetchval(_DISALLOW, tenant.business_id, tenant.mode, discount_id, customer_id) is not None


async def list_allowed_customers(read: Read, tenant: Tenant, discount_id: str, limit: int, offset: int) -> list[str]:
    """Return a page of the ids of the customers on the discount's list, the newest customers first."""
    rows = await read.fetch(_ALLOWED, tenant.business_id, tenant.mode, discount_id, limit, offset)
    return [row["customer_id"] for row in rows]
