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

_NEXT: Final = """
SELECT min(customer_id) FROM customers c WHERE business_id = $1 AND mode = $2 AND email_key = $3 AND NOT EXISTS (
    SELECT FROM customers f
    WHERE (f.business_id, f.mode, f.email_key, f.additional_id) = (c.business_id, c.mode, c.email_key, ''))
"""

_APPOINT: Final = """
UPDATE customers SET additional_id = '' WHERE business_id = $1 AND mode = $2 AND customer_id = $4 AND email_key = $3
RETURNING true
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


async def appoint_first(tx: Tx, tenant: Tenant, key: str) -> None:
    """Make the oldest of an address's customers its first one, if it has customers and no first one any more.

    `key` is the address's `core.customers.customer.email_key`. A customer that leaves the address meanwhile is passed
    over.
    """
    where = (tenant.business_id, tenant.mode, key)
    while (customer_id := await tx.fetchval(_NEXT, *where)) is not None:
        if await tx.fetchval(_APPOINT, *where, customer_id):
            return


async def addresses_without_first(read: Read) -> list[WrongRow]:
    """Return the oldest customer of each e-mail address that has customers and no first one."""
    return await wrong_rows(read, _WITHOUT_FIRST)
