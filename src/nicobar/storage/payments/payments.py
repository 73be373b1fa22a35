"""Payments and their lines."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Payment, PaymentLine
from nicobar.core.pricing.pricing import QuoteInputs
from nicobar.storage.database import Read, Record, Tx
from nicobar.storage.listing import Condition, CreatedBetween, equal, fetch_joined_page

PAYMENT_COLUMNS: Final = """
    p.business_id, p.mode, p.payment_id, p.brand_id, p.status, p.currency, p.subtotal, p.discount, p.tax,
    p.total_amount, p.settlement_currency, p.settlement_amount, p.settlement_tax, p.billing, p.metadata, p.options,
    p.link_id, p.expires_on, p.payment_method, p.payment_method_type, p.card, p.error_code, p.error_message,
    p.created_at, p.updated_at, p.payment_method_id, p.three_ds, p.refund_reserved_amount, p.refund_succeeded_amount,
    c.customer_id, c.email, c.name AS customer_name, c.phone_number, c.metadata AS customer_metadata
"""
# `|| ''` has the customer looked up by its key: without statistics, reading all of a seller's looks as good.
WITH_CUSTOMER: Final = """
FROM payments p CROSS JOIN LATERAL (
    SELECT customer_id, email, name, phone_number, metadata, preferred_locale, xmin AS version FROM customers
    WHERE (business_id, mode, customer_id) = (p.business_id || '', p.mode || '', p.customer_id)
) c"""
_COLUMNS: Final = f"{PAYMENT_COLUMNS} {WITH_CUSTOMER}"

_LINE_COLUMNS: Final = """
position, product_id, name, description, quantity, amount, unit_price, tax_category, tax_inclusive,
subtotal, discount, tax, total, refund_reserved_amount, refund_reserved_tax, refund_reserved_settlement_amount,
refund_reserved_settlement_tax
"""

LINES: Final = f"""
(SELECT json_agg(line) FROM (
    SELECT {_LINE_COLUMNS} FROM payment_lines l
    WHERE (l.business_id, l.mode, l.payment_id) = (p.business_id, p.mode, p.payment_id) ORDER BY position) line
) AS lines
"""

# PostgreSQL gives every change of a row another `xmin`.
VERSION_COLUMNS: Final = """
    p.xmin AS version, c.version AS customer_version,
    CASE WHEN p.currency <> p.settlement_currency THEN p.pricing END AS conversion
"""

_WITH_LINES: Final = f"SELECT {PAYMENT_COLUMNS}, {LINES} {WITH_CUSTOMER}"
_GET: Final = f"{_WITH_LINES} WHERE p.business_id = $1 AND p.mode = $2 AND p.payment_id = $3"
_BY_LINK: Final = f"{_WITH_LINES} WHERE p.link_id = $1"

# A row that somebody else held is read as it is when its lock is had, its lines are not: they take their own query.
_LOCK: Final = f"SELECT {_COLUMNS} WHERE p.business_id = $1 AND p.mode = $2 AND p.payment_id = $3 FOR UPDATE OF p"

_LOCK_IDLE: Final = _LOCK + " SKIP LOCKED"

_PRICING: Final = "SELECT pricing FROM payments WHERE business_id = $1 AND mode = $2 AND payment_id = $3"

_LINES: Final = f"""
SELECT {_LINE_COLUMNS} FROM payment_lines WHERE business_id = $1 AND mode = $2 AND payment_id = $3 ORDER BY position
"""

_KEY: Final = "p.payment_id"


class VersionedPayment(NamedTuple):
    """A payment as it was read, and what tells whether it has changed since."""

    payment: Payment
    version: int
    """Of its row."""
    customer_version: int
    """Of its customer's."""
    conversion: QuoteInputs | None
    """What the amounts of a converted payment were computed from; None where nothing was converted."""


class PaymentFilters(CreatedBetween, frozen=True, kw_only=True):
    """What a list of payments is narrowed to; None means no filter."""

    status: str | None = None
    currency: str | None = None
    customer_id: str | None = None
    product_id: str | None = None
    brand_id: str | None = None
    subscription_id: str | None = None

    def conditions(self) -> list[Condition]:
        """Return the filters in SQL, but for that of the brand, which depends on the tenant."""
        found = self.dates(_KEY, "pay") + equal(
            {
                "p.status": self.status,
                "p.currency": self.currency,
                "p.customer_id": self.customer_id,
            }
        )
        if self.product_id is not None:
            bought = "SELECT l.payment_id FROM payment_lines l WHERE l.business_id = $1 AND l.mode = $2"
            found.append((f"p.payment_id IN ({bought} AND l.product_id = {{}})", self.product_id))
        if self.subscription_id is not None:
            charged = "SELECT s.payment_id FROM subscription_charges s WHERE s.business_id = $1 AND s.mode = $2"
            found.append((f"p.payment_id IN ({charged} AND s.subscription_id = {{}})", self.subscription_id))
        return found


async def get_payment(read: Read, tenant: Tenant, payment_id: str) -> Payment | None:
    """Return one payment with its lines."""
    row = await read.fetchrow(_GET, tenant.business_id, tenant.mode, payment_id)
    return None if row is None else payment_of_row(row)


async def get_pricing(read: Read, tenant: Tenant, payment_id: str) -> QuoteInputs | None:
    """Return everything that a payment's amounts were computed from."""
    inputs = await read.fetchval(_PRICING, tenant.business_id, tenant.mode, payment_id)
    return None if inputs is None else msgspec.convert(inputs, QuoteInputs)


async def find_payment_by_link(read: Read, link_id: str) -> Payment | None:
    """Return the payment behind a link id: the link itself is the customer's permission, so no tenant is asked."""
    row = await read.fetchrow(_BY_LINK, link_id)
    return None if row is None else payment_of_row(row)


async def lock_payment(tx: Tx, tenant: Tenant, payment_id: str) -> Payment | None:
    """Return one payment and hold its row until the transaction ends."""
    return await _with_lines(tx, await tx.fetchrow(_LOCK, tenant.business_id, tenant.mode, payment_id))


async def lock_idle_payment(tx: Tx, tenant: Tenant, payment_id: str) -> Payment | None:
    """Return one payment and hold its row; None, without waiting, when somebody works on it at this moment."""
    return await _with_lines(tx, await tx.fetchrow(_LOCK_IDLE, tenant.business_id, tenant.mode, payment_id))


async def list_payments(
    read: Read, tenant: Tenant, filters: PaymentFilters, limit: int, offset: int
) -> Sequence[Payment]:
    """Return a page of payments without their lines, newest first."""
    conditions = filters.conditions()
    if filters.brand_id is not None:
        # What the index of payments by brand asks for: it leaves out the brand that a business begins with.
        other = "" if filters.brand_id == tenant.business_id else " AND p.brand_id <> p.business_id"
        conditions.append((f"p.brand_id = {{}}{other}", filters.brand_id))
    rows = await fetch_joined_page(read, _COLUMNS, "payments", _KEY, tenant, conditions, limit, offset)
    return [_payment(row, []) for row in rows]


async def _with_lines(tx: Tx, row: Record | None) -> Payment | None:
    if row is None:
        return None
    lines = await tx.fetch(_LINES, row["business_id"], row["mode"], row["payment_id"])
    return _payment(row, [msgspec.convert(line, PaymentLine) for line in lines])


def payment_of_row(row: Record) -> Payment:
    """Return the payment of a row with `PAYMENT_COLUMNS` and `LINES`."""
    return _payment(row, msgspec.convert(row["lines"] or [], list[PaymentLine]))


def versioned_of_row(row: Record) -> VersionedPayment:
    """Return the payment of a row with `PAYMENT_COLUMNS`, `LINES` and `VERSION_COLUMNS`."""
    conversion: Any = row["conversion"]
    return VersionedPayment(
        payment_of_row(row),
        row["version"],
        row["customer_version"],
        None if conversion is None else msgspec.convert(conversion, QuoteInputs),
    )


def _payment(row: Record, lines: list[PaymentLine]) -> Payment:
    fields: dict[str, Any] = dict(row)
    fields["customer"] = {
        "customer_id": fields.pop("customer_id"),
        "email": fields.pop("email"),
        "name": fields.pop("customer_name"),
        "phone_number": fields.pop("phone_number"),
        "metadata": fields.pop("customer_metadata"),
    }
    fields["lines"] = lines
    return msgspec.convert(fields, Payment)
