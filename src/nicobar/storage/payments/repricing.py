"""What a payment that is priced again changes: its amounts and lines, its uses of codes, what its customer lacked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.buyer import Buyer
from nicobar.core.discounts.discount_record import CodeUse
from nicobar.core.payments.payment import PAYABLE, Payment
from nicobar.core.pricing.pricing import QuoteInputs
from nicobar.storage.database import Tx

# The status guards what the caller has seen under the lock once more: only what can still be paid changes its price.
_PRICE: Final = """
UPDATE payments SET currency = $4, subtotal = $5, discount = $6, tax = $7, total_amount = $8, settlement_currency = $9,
    settlement_amount = $10, settlement_tax = $11, billing = $12, options = $13, pricing = coalesce($14, pricing),
    updated_at = $15
WHERE business_id = $1 AND mode = $2 AND payment_id = $3 AND status = ANY($16::text[])
RETURNING true
"""

_LINES: Final = """
UPDATE payment_lines l SET name = given.name, description = given.description, unit_price = given.unit_price,
    tax_category = given.tax_category, tax_inclusive = given.tax_inclusive, subtotal = given.subtotal,
    discount = given.discount, tax = given.tax, total = given.total
FROM unnest($4::smallint[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::boolean[], $10::bigint[],
            $11::bigint[], $12::bigint[], $13::bigint[])
    AS given (position, name, description, unit_price, tax_category, tax_inclusive, subtotal, discount, tax, total)
WHERE l.business_id = $1 AND l.mode = $2 AND l.payment_id = $3 AND l.position = given.position
"""

# What somebody else has stored meanwhile is never overwritten.
_COMPLETE: Final = """
UPDATE customers SET name = CASE WHEN $4 <> '' AND name = $6 THEN $4 ELSE name END,
    phone_number = CASE WHEN $5::text IS NOT NULL AND phone_number IS NOT DISTINCT FROM $7 THEN $5
        ELSE phone_number END,
    updated_at = $8
WHERE business_id = $1 AND mode = $2 AND customer_id = $3
  AND (($4 <> '' AND name = $6) OR ($5::text IS NOT NULL AND phone_number IS NOT DISTINCT FROM $7))
"""

_TAKE_OUT: Final = """
DELETE FROM discount_redemptions
WHERE business_id = $1 AND mode = $2 AND payment_id = $3 AND state <> 'redeemed'
RETURNING discount_id, created_at, state
"""

_GIVE_BACK: Final = """
UPDATE discounts SET times_reserved = times_reserved - 1,
    over_limit = coalesce(times_used + times_reserved - 1 > usage_limit, false)
WHERE business_id = $1 AND mode = $2 AND discount_id = ANY($3::text[])
"""

_PUT_BACK: Final = """
INSERT INTO discount_redemptions (
    business_id, mode, payment_id, position, discount_id, customer_id, code, type, amount, deducted, state,
    reserved_until, created_at, updated_at)
SELECT $1, $2, $3, given.ordinal - 1, d.discount_id, $4, d.code, d.type, d.amount, given.deducted, 'reserved', $5,
       given.created_at, $6
FROM unnest($7::text[], $8::bigint[], $9::timestamptz[]) WITH ORDINALITY
    AS given (discount_id, deducted, created_at, ordinal)
JOIN discounts d ON d.business_id = $1 AND d.mode = $2 AND d.discount_id = given.discount_id
    AND d.discount_id = ANY($7)
"""


async def update_price(tx: Tx, payment: Payment, pricing: QuoteInputs | None) -> bool:
    """Store the amounts, currency, billing address and options of a payment; return whether it could still be paid.

    With `pricing`, everything that the new amounts were computed from, its lines are stored, too; None says that the
    amounts are the old ones. The caller holds the payment's row.
    """
    tenant, lines = payment.tenant, payment.lines
    updated = await tx.fetchval(
        _PRICE,
        tenant.business_id,
        tenant.mode,
        payment.payment_id,
        payment.currency,
        payment.subtotal,
        payment.discount,
        payment.tax,
        payment.total_amount,
        payment.settlement_currency,
        payment.settlement_amount,
        payment.settlement_tax,
        payment.billing,
        payment.options,
        pricing,
        payment.updated_at,
        sorted(PAYABLE),
    )
    if updated is None:
        return False
    if pricing is not None:
        await tx.execute(
            _LINES,
            tenant.business_id,
            tenant.mode,
            payment.payment_id,
            [line.position for line in lines],
            [line.name for line in lines],
            [line.description for line in lines],
            [line.unit_price for line in lines],
            [line.tax_category for line in lines],
            [line.tax_inclusive for line in lines],
            [line.subtotal for line in lines],
            [line.discount for line in lines],
            [line.tax for line in lines],
            [line.total for line in lines],
        )
    return True


async def complete_customer(
    tx: Tx, tenant: Tenant, known: Buyer, name: str, phone_number: str | None, at: datetime
) -> None:
    """Give a customer a name and a phone number in place of the `known` ones, where these are still stored.

    An empty name and None leave what is there.
    """
    await tx.execute(
        _COMPLETE,
        tenant.business_id,
        tenant.mode,
        known.customer_id,
        name,
        phone_number,
        known.name,
        known.phone_number,
        at,
    )


async def take_out_uses(tx: Tx, tenant: Tenant, payment_id: str) -> dict[str, datetime]:
    """Delete the uses of an open payment, whose row the caller holds; return since when it held each discount.

    Uses that were given back are deleted, too, and not among them. No counter moves: `give_back_uses` and
    `put_back_uses` bring both into agreement again before the commit.
    """
    rows = await tx.fetch(_TAKE_OUT, tenant.business_id, tenant.mode, payment_id)
    return {row["discount_id"]: row["created_at"] for row in rows if row["state"] == "reserved"}


async def give_back_uses(tx: Tx, tenant: Tenant, discount_ids: Sequence[str]) -> None:
    """Count one reserved use less for each of the discounts, which the caller holds (`lock_limits`)."""
    await tx.execute(_GIVE_BACK, tenant.business_id, tenant.mode, discount_ids)


async def put_back_uses(
    tx: Tx,
    tenant: Tenant,
    payment_id: str,
    customer_id: str,
    uses: Sequence[CodeUse],
    held_since: Sequence[datetime],
    reserved_until: datetime,
    at: datetime,
) -> None:
    """Store uses that were taken out, with their new deductions, in their order from 0 on; they are counted already."""
    await tx.execute(
        _PUT_BACK,
        tenant.business_id,
        tenant.mode,
        payment_id,
        customer_id,
        reserved_until,
        at,
        [use.discount_id for use in uses],
        [use.deducted for use in uses],
        held_since,
    )
