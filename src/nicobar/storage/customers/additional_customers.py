"""Several customers with one e-mail address: one of them is the first, with whom whoever gives the address is matched.

Its `additional_id` is empty, and that of every other one is its own id. Where an address has customers, it has a first.
"""

from datetime import datetime
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.customer import CustomerUpsert
from nicobar.storage.database import Read, Tx
from nicobar.storage.wrong_rows import WrongRow, wrong_rows

# The condition is never true: the address's first customer is locked and not written, so that it cannot leave the
# address before this transaction ends and everybody sees who comes after it.
_INSERT: Final = """
WITH first AS (
    INSERT INTO customers (business_id, mode, customer_id, email, email_key, name, phone_number, metadata,
                           created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, '{}', $8, $8)
    ON CONFLICT (business_id, mode, email_key, additional_id) DO UPDATE SET updated_at = excluded.updated_at WHERE false
    RETURNING customer_id
)
INSERT INTO customers (business_id, mode, customer_id, email, email_key, additional_id, name, phone_number, metadata,
                       created_at, updated_at)
SELECT $1, $2, $3, $4, $5, $3, $6, $7, '{}', $8, $8 WHERE NOT EXISTS (SELECT FROM first)
"""

_HOLD_NEXT: Final = """
SELECT c.customer_id FROM customers c JOIN customers f USING (business_id, mode, email_key)
WHERE business_id = $1 AND mode = $2 AND f.customer_id = $3 AND f.additional_id = '' AND c.additional_id > ''
ORDER BY c.additional_id LIMIT 1 FOR UPDATE OF c
"""

_APPOINT: Final = "UPDATE customers SET additional_id = '' WHERE business_id = $1 AND mode = $2 AND customer_id = $3"

_OTHERS: Final = """
SELECT c.customer_id FROM customers c JOIN customers f USING (business_id, mode, email_key)
WHERE business_id = $1 AND mode = $2 AND f.customer_id = $3 AND c.customer_id <> $3
ORDER BY c.additional_id LIMIT $4
"""

_WITHOUT_FIRST: Final = """
SELECT mode, min(customer_id) AS object_id, 'no customer of its e-mail address is the first' AS detail
FROM customers GROUP BY business_id, mode, email_key HAVING min(additional_id) <> ''
ORDER BY 2 LIMIT $1
"""


async def insert_additional_customer(tx: Tx, tenant: Tenant, new: CustomerUpsert, at: datetime) -> None:
    """Store a new customer: an additional one where the address has a customer already, else its first one."""
    given = (new.customer_id, new.email, new.email_key, new.name, new.phone_number)
    await tx.execute(_INSERT, tenant.business_id, tenant.mode, *given, at)


async def others_of_address(read: Read, tenant: Tenant, customer_id: str, limit: int) -> list[str]:
    """Return the ids of the other customers of a customer's e-mail address, the first one first, then the oldest."""
    rows = await read.fetch(_OTHERS, tenant.business_id, tenant.mode, customer_id, limit)
    return [row["customer_id"] for row in rows]


async def hold_next(tx: Tx, tenant: Tenant, customer_id: str) -> str | None:
    """Hold and return who becomes the first customer of an address when this one, whose row the caller holds, leaves.

    That is the oldest of the others; None when there is no other, or this one is not the first. To be called before
    anything else is written: the next one may be leaving, too, by a transaction that waits for what this one writes
    (the new address, or sessions of the old), and this one would then wait for that.
    """
    found: str | None = await tx.fetchval(_HOLD_NEXT, tenant.business_id, tenant.mode, customer_id)
    return found


async def appoint_first(tx: Tx, tenant: Tenant, customer_id: str) -> None:
    """Make a customer, as `hold_next` returned it, the first of the address which the first one has left."""
    await tx.execute(_APPOINT, tenant.business_id, tenant.mode, customer_id)


async def addresses_without_first(read: Read) -> list[WrongRow]:
    """Return the oldest customer of each e-mail address that has customers and no first one."""
    return await wrong_rows(read, _WITHOUT_FIRST)
