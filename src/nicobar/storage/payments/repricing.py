"""What a payment that is priced again changes: its amounts and lines, its uses of codes, what its customer lacked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import PAYABLE, Payment
from nicobar.core.pricing.pricing import QuoteInputs
from nicobar.storage.database import Tx
from nicobar.storage.discounts.redemptions import CodeUse, lock_limits, reserve

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

# A stored name or phone number is never overwritten.
_COMPLETE: Final = """
UPDATE customers SET name = CASE name WHEN '' THEN $4 ELSE name END, phone_number = coalesce(phone_number, $5),
    updated_at = $6
WHERE business_id = $1 AND mode = $2 AND customer_id = $3
  AND ((name = '' AND $4 <> '') OR (phone_number IS NULL AND $5::text IS NOT NULL))
"""

_TAKE_OUT: Final = """
DELETE FROM discount_redemptions
WHERE business_id = $1 AND mode = $2 AND payment_id = $3 AND state = 'reserved'
RETURNING discount_id, created_at
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
    tx: Tx, tenant: Tenant, customer_id: str, name: str, phone_number: str | None, at: datetime
) -> None:
    """Give a customer the name and the phone number that nobody knew yet; what is known stays."""
    await tx.execute(_COMPLETE, tenant.business_id, tenant.mode, customer_id, name, phone_number, at)


async def change_uses(
    tx: Tx,
    tenant: Tenant,
    payment_id: str,
    customer_id: str,
    uses: Sequence[CodeUse],
    reserved_until: datetime,
    at: datetime,
) -> None:
    """Make `uses` the reserved uses of codes of an open payment, whose row the caller holds.

    A code that the payment holds already keeps its use, with its new deduction: no counter moves, so its limit cannot
    refuse it. A code that is not among `uses` any more gives its use back, and a new one, which stands behind those
    that are kept, takes one as `reserve` does.

    Raises Problem like `reserve`; the transaction must then roll back.
    """
    rows = await tx.fetch(_TAKE_OUT, tenant.business_id, tenant.mode, payment_id)
    held = {row["discount_id"]: row["created_at"] for row in rows}
    wanted = {use.discount_id for use in uses}
    dropped = [discount_id for discount_id in held if discount_id not in wanted]
    kept = [use for use in uses if use.discount_id in held]
    added = [use for use in uses if use.discount_id not in held]
    if dropped:  # all at once, in the one order of all locks: the new codes may have smaller ids
        await lock_limits(tx, tenant, [*dropped, *[use.discount_id for use in added]])
        await tx.execute(_GIVE_BACK, tenant.business_id, tenant.mode, dropped)
    if kept:
        await tx.execute(
            _PUT_BACK,
            tenant.business_id,
            tenant.mode,
            payment_id,
            customer_id,
            reserved_until,
            at,
            [use.discount_id for use in kept],
            [use.deducted for use in kept],
            [held[use.discount_id] for use in kept],
        )
    await reserve(tx, tenant, payment_id, customer_id, added, reserved_until, at, first_position=len(kept))
