"""The facts that a cart is priced with, read in one round trip: the customer, the products, their brands."""

from collections.abc import Sequence
from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.buyer import Buyer
from nicobar.core.pricing.cart import CartFacts, SellableProduct
from nicobar.storage.database import Read, Record

# One row per product found, each with the customer (if found); one row with empty product columns when none is.
_FACTS: Final = """
SELECT c.customer_id, c.email, c.name AS customer_name, c.phone_number, c.metadata,
       p.product_id, p.brand_id, p.name, p.description, p.tax_category, p.price, p.pricing_mode,
       p.archived_at IS NOT NULL AS archived, b.enabled AND b.archived_at IS NULL AS brand_enabled
FROM (SELECT 1) AS always
LEFT JOIN customers c ON c.business_id = $1 AND c.mode = $2 AND {customer}
LEFT JOIN products p ON p.business_id = $1 AND p.mode = $2 AND p.product_id = ANY($4::text[])
LEFT JOIN brands b ON b.business_id = $1 AND b.mode = $2 AND b.brand_id = p.brand_id
"""

_FACTS_BY_ID: Final = _FACTS.format(customer="c.customer_id = $3")
_FACTS_BY_EMAIL: Final = _FACTS.format(customer="c.email_key = $3")


async def load_cart_facts(
    read: Read, tenant: Tenant, *, customer_id: str | None, email_key: str | None, product_ids: Sequence[str]
) -> CartFacts:
    """Return the customer, found by id or otherwise by e-mail key, and the products that exist among the ids."""
    query, customer = (_FACTS_BY_ID, customer_id) if customer_id is not None else (_FACTS_BY_EMAIL, email_key)
    rows = await read.fetch(query, tenant.business_id, tenant.mode, customer, product_ids)
    first = rows[0]
    return CartFacts(
        customer=None if first["customer_id"] is None else _buyer(first),
        products={row["product_id"]: msgspec.convert(row, SellableProduct) for row in rows if row["product_id"]},
    )


def _buyer(row: Record) -> Buyer:
    return Buyer(row["customer_id"], row["email"], row["customer_name"], row["phone_number"], row["metadata"])
