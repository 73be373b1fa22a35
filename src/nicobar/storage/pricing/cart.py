"""The facts that a cart is priced with, read in one round trip: the customer, the products, their brands."""

from collections.abc import Sequence
from typing import Final

import msgspec

from nicobar.core.customers.buyer import Buyer
from nicobar.core.pricing.cart import CartFacts, SellableProduct
from nicobar.storage.database import Read, Record

# One row for each cart and product found; one with empty product columns for a cart of which none is found. $1 is a
# JSON list of `CartLookup`. Each look-up is a subquery of its own, so that the planner has nothing to choose but the
# index of its key, whatever it believes of tables that it has no statistics of.
_FACTS: Final = """
SELECT a.number, c.customer_id, c.email, c.name AS customer_name, c.phone_number, c.metadata,
       p.product_id, p.brand_id, p.name, p.description, p.tax_category, p.price, p.pricing_mode, p.archived,
       p.brand_enabled
FROM ROWS FROM (json_to_recordset($1) AS (
    business_id text, mode text, customer_id text, email_key text, product_ids text[]))
    WITH ORDINALITY AS a(business_id, mode, customer_id, email_key, product_ids, number)
LEFT JOIN LATERAL (
    SELECT * FROM customers k
    WHERE (k.business_id, k.mode, k.customer_id) = (a.business_id, a.mode, a.customer_id)
    UNION ALL
    SELECT * FROM customers k
    WHERE (k.business_id, k.mode, k.email_key, k.additional_id) = (a.business_id, a.mode, a.email_key, '')
    LIMIT 1) c ON true
LEFT JOIN LATERAL unnest(a.product_ids) AS wanted(product_id) ON true
LEFT JOIN LATERAL (
    SELECT q.*, q.archived_at IS NOT NULL AS archived, b.enabled AND b.archived_at IS NULL AS brand_enabled
    FROM products q LEFT JOIN brands b USING (business_id, mode, brand_id)
    WHERE (q.business_id, q.mode, q.product_id) = (a.business_id, a.mode, wanted.product_id)
    LIMIT 1) p ON true
"""


class CartLookup(msgspec.Struct, frozen=True):
    """What is looked up for one cart."""

    business_id: str
    mode: str
    customer_id: str | None
    email_key: str | None
    """How the customer is found without an id; None with one."""
    product_ids: Sequence[str]


async def load_cart_facts(read: Read, lookups: Sequence[CartLookup]) -> list[CartFacts]:
    """Return for each cart its customer and the products that exist among its ids, with one query for all of them."""
    customers: dict[int, Buyer] = {}
    products: list[dict[str, SellableProduct]] = [{} for _ in lookups]
    for row in await read.fetch(_FACTS, lookups):
        number = row["number"] - 1
        if row["customer_id"] is not None and number not in customers:
            customers[number] = _buyer(row)
        if row["product_id"] is not None:
            products[number][row["product_id"]] = msgspec.convert(row, SellableProduct)
    return [CartFacts(customer=customers.get(number), products=found) for number, found in enumerate(products)]


def _buyer(row: Record) -> Buyer:
    return Buyer(row["customer_id"], row["email"], row["customer_name"], row["phone_number"], row["metadata"])
