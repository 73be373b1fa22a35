"""Customers: found by id or by e-mail address, listed newest first."""

from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.customer import Customer, email_key
from nicobar.storage.database import Read, Tx
from nicobar.storage.listing import Condition, CreatedBetween, equal, fetch_page

_COLUMNS: Final = """
    business_id, customer_id, email, name, phone_number, metadata, preferred_locale, created_at, updated_at
"""

# The "update" that changes nothing hands back the customer who has the address already, even one that another
# transaction committed while this statement waited for it. So two creations at once both get the one customer.
_INSERT_OR_FIND: Final = f"""
INSERT INTO customers (business_id, mode, customer_id, email, email_key, name, phone_number, metadata,
                       preferred_locale, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (business_id, mode, email_key, additional_id) DO UPDATE SET email_key = customers.email_key
RETURNING {_COLUMNS}
"""

_GET: Final = f"SELECT {_COLUMNS} FROM customers WHERE business_id = $1 AND mode = $2 AND customer_id = $3"
_LOCK: Final = f"{_GET} FOR NO KEY UPDATE"
_BY_EMAIL: Final = f"""
SELECT {_COLUMNS} FROM customers WHERE business_id = $1 AND mode = $2 AND email_key = $3 AND additional_id = ''
"""

# Whoever moves to another address is its first customer, or the index refuses.
_UPDATE: Final = """
UPDATE customers SET email = $4, email_key = $5, additional_id = CASE email_key WHEN $5 THEN additional_id ELSE '' END,
                     name = $6, phone_number = $7, metadata = $8, preferred_locale = $9, updated_at = $10
WHERE business_id = $1 AND mode = $2 AND customer_id = $3
"""

_KEY: Final = "customer_id"


class CustomerFilters(CreatedBetween, frozen=True, kw_only=True):
    """What a list of customers is narrowed to; None means no filter."""

    email: str | None = None
    """A whole address, in any case."""
    name: str | None = None
    """A part of the name, in any case."""

    def conditions(self) -> list[Condition]:
        """Return the filters in SQL."""
        found = self.dates(_KEY, "cus") + equal({"email_key": None if self.email is None else email_key(self.email)})
        if self.name is not None:
            # The databases are made with the locale C, which folds only ASCII letters; this collation knows them all.
            found.append(('name COLLATE "pg_c_utf8" ILIKE {}', f"%{_escaped(self.name)}%"))
        return found


async def insert_or_find_customer(tx: Tx, tenant: Tenant, customer: Customer) -> Customer:
    """Store a customer and return it; when the e-mail address is taken, return its owner unchanged instead."""
    row = await tx.fetchrow(
        _INSERT_OR_FIND,
        tenant.business_id,
        tenant.mode,
        customer.customer_id,
        customer.email,
        email_key(customer.email),
        customer.name,
        customer.phone_number,
        customer.metadata,
        customer.preferred_locale,
        customer.created_at,
        customer.updated_at,
    )
    return msgspec.convert(row, Customer)


async def get_customer(read: Read, tenant: Tenant, customer_id: str) -> Customer | None:
    """Return the tenant's customer with this id, or None."""
    row = await read.fetchrow(_GET, tenant.business_id, tenant.mode, customer_id)
    return None if row is None else msgspec.convert(row, Customer)


async def lock_customer(tx: Tx, tenant: Tenant, customer_id: str) -> Customer | None:
    """Return the customer and keep it from other writers until the transaction ends; payments may still refer to it."""
    row = await tx.fetchrow(_LOCK, tenant.business_id, tenant.mode, customer_id)
    return None if row is None else msgspec.convert(row, Customer)


async def find_by_email(read: Read, tenant: Tenant, key: str) -> Customer | None:
    """Return the first customer of the address with this key (`core.customers.customer.email_key`), or None."""
    row = await read.fetchrow(_BY_EMAIL, tenant.business_id, tenant.mode, key)
    return None if row is None else msgspec.convert(row, Customer)


async def update_customer(tx: Tx, tenant: Tenant, customer: Customer) -> None:
    """Store every changeable field. Raises UniqueViolation `customers_email` when another has the address.

    Whoever changes the address asks `additional_customers.hold_next` before, and appoints that one.
    """
    await tx.execute(
        _UPDATE,
        tenant.business_id,
        tenant.mode,
        customer.customer_id,
        customer.email,
        email_key(customer.email),
        customer.name,
        customer.phone_number,
        customer.metadata,
        customer.preferred_locale,
        customer.updated_at,
    )


async def list_customers(
    read: Read, tenant: Tenant, filters: CustomerFilters, limit: int, offset: int
) -> list[Customer]:
    """Return a page of customers, newest first."""
    rows = await fetch_page(read, f"{_COLUMNS} FROM customers", _KEY, tenant, filters.conditions(), limit, offset)
    return [msgspec.convert(row, Customer) for row in rows]


def _escaped(text: str) -> str:
    """Return `text` so that LIKE takes `%`, `_` and its escape character literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
