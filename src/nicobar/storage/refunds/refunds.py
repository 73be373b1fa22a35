"""Refunds: each is committed with what it takes of its payment, before the processor is asked."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from nicobar.core.business.business_clock import Reckoning
from nicobar.core.business.tenant import Tenant
from nicobar.core.refunds.refund import (
    Refund,
    RefundLine,
    RefundOutcome,
    RefundStatus,
    RefundSucceeded,
    refund_origins,
)
from nicobar.storage.database import Read, Record, Tx
from nicobar.storage.listing import Condition, CreatedBetween, equal, fetch_page
from nicobar.storage.payments.attempts import SPARED
from nicobar.storage.test_clocks import reckoned, reckoned_value

_COLUMNS: Final = """
    r.refund_id, r.payment_id, r.attempt_id, r.status, r.amount, r.tax, r.currency, r.settlement_amount,
    r.settlement_tax, r.settlement_currency, r.is_partial, r.reason, r.metadata, r.outcome, r.asked_at,
    r.network_reference, r.network_reference_type, r.network_reference_updated_at, r.created_at, r.resolved_at
"""

_LINE_COLUMNS: Final = "position, amount, tax, settlement_amount, settlement_tax"

# One statement, so that what a refund is and what it takes of the payment and of its lines cannot disagree. $1 to $15
# are the refund, the arrays from $16 its lines; PostgreSQL sums them itself.
_INSERT: Final = f"""
WITH part AS (
    SELECT * FROM unnest($16::smallint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[])
        AS part ({_LINE_COLUMNS})
), whole AS (
    SELECT sum(amount)::bigint AS amount, sum(tax)::bigint AS tax, sum(settlement_amount)::bigint AS settlement_amount,
           sum(settlement_tax)::bigint AS settlement_tax
    FROM part
), refund AS (
    INSERT INTO refunds (
        business_id, mode, refund_id, payment_id, attempt_id, status, currency, settlement_currency, is_partial,
        reason, metadata, created_at, updated_at, amount, tax, settlement_amount, settlement_tax)
    SELECT $1, $2, $3, $4, $5, 'pending', $6, $7, $8, $9, $10, $11, $11, whole.* FROM whole
    WHERE (whole.amount, whole.tax, whole.settlement_amount, whole.settlement_tax) = ($12, $13, $14, $15)
    RETURNING payment_id
), lines AS (
    INSERT INTO refund_lines (business_id, mode, refund_id, payment_id, {_LINE_COLUMNS})
    SELECT $1, $2, $3, refund.payment_id, part.* FROM part, refund
), of_lines AS (
    UPDATE payment_lines l SET
        refund_reserved_amount = l.refund_reserved_amount + part.amount,
        refund_reserved_tax = l.refund_reserved_tax + part.tax,
        refund_reserved_settlement_amount = l.refund_reserved_settlement_amount + part.settlement_amount,
        refund_reserved_settlement_tax = l.refund_reserved_settlement_tax + part.settlement_tax
    FROM part
    WHERE l.business_id = $1 AND l.mode = $2 AND l.payment_id = $4 AND l.position = part.position
)
UPDATE payments p SET
    refund_reserved_amount = p.refund_reserved_amount + whole.amount,
    refund_reserved_settlement_amount = p.refund_reserved_settlement_amount + whole.settlement_amount
FROM whole, refund
WHERE p.business_id = $1 AND p.mode = $2 AND p.payment_id = refund.payment_id
RETURNING true
"""

# The status guards the whole: without a move nothing else happens. $4 is the new status, $9 its origins and $10 the one
# that the caller has read. A refund that fails gives free what it took. One that came back keeps the number by which
# the customer's bank knows it.
_MOVE: Final = f"""
WITH moved AS (
    UPDATE refunds r SET status = $4, outcome = $5, updated_at = $6, resolved_at = $6, asked_at = $11,
        network_reference = coalesce($7::text, r.network_reference),
        network_reference_type = CASE WHEN $7::text IS NULL THEN r.network_reference_type ELSE $8 END,
        network_reference_updated_at = CASE WHEN $7::text IS NULL THEN r.network_reference_updated_at
            ELSE $6::timestamptz END
    WHERE r.business_id = $1 AND r.mode = $2 AND r.refund_id = $3 AND r.status = ANY($9::text[]) AND r.status = $10
    RETURNING {_COLUMNS}
), of_lines AS (
    UPDATE payment_lines l SET
        refund_reserved_amount = l.refund_reserved_amount - part.amount,
        refund_reserved_tax = l.refund_reserved_tax - part.tax,
        refund_reserved_settlement_amount = l.refund_reserved_settlement_amount - part.settlement_amount,
        refund_reserved_settlement_tax = l.refund_reserved_settlement_tax - part.settlement_tax
    FROM refund_lines part, moved
    WHERE moved.status = 'failed' AND part.business_id = $1 AND part.mode = $2 AND part.refund_id = $3
      AND l.business_id = $1 AND l.mode = $2 AND l.payment_id = part.payment_id AND l.position = part.position
), of_payment AS (
    UPDATE payments p SET
        refund_reserved_amount = p.refund_reserved_amount
            - CASE moved.status WHEN 'failed' THEN moved.amount ELSE 0 END,
        refund_reserved_settlement_amount = p.refund_reserved_settlement_amount
            - CASE moved.status WHEN 'failed' THEN moved.settlement_amount ELSE 0 END,
        refund_succeeded_amount = p.refund_succeeded_amount + CASE WHEN moved.status = 'succeeded' THEN moved.amount
            WHEN $10 = 'succeeded' THEN -moved.amount ELSE 0 END
    FROM moved
    WHERE p.business_id = $1 AND p.mode = $2 AND p.payment_id = moved.payment_id
)
SELECT * FROM moved
"""

_HEAR: Final = """
UPDATE refunds SET outcome = $4, updated_at = $5, asked_at = $6
WHERE business_id = $1 AND mode = $2 AND refund_id = $3
"""

_REFERENCE: Final = f"""
UPDATE refunds r SET outcome = $4, updated_at = $5, network_reference = $6, network_reference_type = $7,
    network_reference_updated_at = $5, asked_at = $8
WHERE business_id = $1 AND mode = $2 AND refund_id = $3 AND status = 'succeeded'
RETURNING {_COLUMNS}
"""

_CLAIM: Final = f"""
UPDATE refunds SET updated_at = $5
WHERE business_id = $1 AND mode = $2 AND refund_id = $3 AND status = 'pending' AND updated_at + {SPARED} <= $4
RETURNING true
"""

_GET: Final = f"SELECT {_COLUMNS} FROM refunds r WHERE business_id = $1 AND mode = $2 AND refund_id = $3"

_LINES: Final = f"""
SELECT {_LINE_COLUMNS} FROM refund_lines WHERE business_id = $1 AND mode = $2 AND refund_id = $3 ORDER BY position
"""

REFUNDS_OF_PAYMENT: Final = f"""
SELECT {_COLUMNS} FROM refunds r WHERE business_id = $1 AND mode = $2 AND payment_id = $3 ORDER BY refund_id
"""

_HISTORY: Final = """
SELECT count(*) AS refunds, coalesce(bool_or(status = 'succeeded' AND NOT is_partial), false) AS returned_at_once
FROM refunds WHERE business_id = $1 AND mode = $2 AND payment_id = $3
"""

_SILENT: Final = f"""
SELECT business_id, mode, refund_id FROM refunds a
WHERE status = 'pending' AND updated_at + {SPARED} <= $1 AND {{reckoned}} ORDER BY updated_at LIMIT $2
"""


_KEY: Final = "r.refund_id"


class RefundFilters(CreatedBetween, frozen=True, kw_only=True):
    """What a list of refunds is narrowed to; None means no filter."""

    status: str | None = None
    customer_id: str | None = None

    def conditions(self) -> list[Condition]:
        """Return the filters in SQL."""
        found = self.dates(_KEY, "ref") + equal({"r.status": self.status})
        if self.customer_id is not None:
            theirs = "SELECT p.payment_id FROM payments p WHERE p.business_id = $1 AND p.mode = $2"
            found.append((f"r.payment_id IN ({theirs} AND p.customer_id = {{}})", self.customer_id))
        return found


class RefundHistory(msgspec.Struct, frozen=True):
    """What was done about a payment so far."""

    refunds: int
    """Refunds of it, failed ones too."""
    returned_at_once: bool
    """Whether one refund has given all of it back."""


async def insert_refund(tx: Tx, tenant: Tenant, refund: Refund) -> None:
    """Store a pending refund with its lines, and take its amounts from the payment and the payment's lines.

    The caller holds the payment's row. PostgreSQL refuses more than was paid (`payments_refunded`,
    `payment_lines_refunded`) and a second pending refund (`refunds_one_pending`). Raises RuntimeError when the refund
    does not sum up or there is no such payment, and the transaction has to be rolled back: a bug of ours.
    """
    lines = refund.lines
    taken = await tx.fetchval(
        _INSERT,
        tenant.business_id,
        tenant.mode,
        refund.refund_id,
        refund.payment_id,
        refund.attempt_id,
        refund.currency,
        refund.settlement_currency,
        refund.is_partial,
        refund.reason,
        refund.metadata,
        refund.created_at,
        refund.amount,
        refund.tax,
        refund.settlement_amount,
        refund.settlement_tax,
        [line.position for line in lines],
        [line.amount for line in lines],
        [line.tax for line in lines],
        [line.settlement_amount for line in lines],
        [line.settlement_tax for line in lines],
    )
    if taken is None:
        raise RuntimeError(f"{refund.refund_id} is a refund of nothing")


async def get_refund(read: Read, tenant: Tenant, refund_id: str) -> Refund | None:
    """Return one refund with its lines."""
    row = await read.fetchrow(_GET, tenant.business_id, tenant.mode, refund_id)
    if row is None:
        return None
    lines = await read.fetch(_LINES, tenant.business_id, tenant.mode, refund_id)
    return _refund(row, [msgspec.convert(line, RefundLine) for line in lines])


async def refunds_of(read: Read, tenant: Tenant, payment_id: str) -> list[Refund]:
    """Return a payment's refunds without their lines, the oldest first."""
    return [
        _refund(row, []) for row in await read.fetch(REFUNDS_OF_PAYMENT, tenant.business_id, tenant.mode, payment_id)
    ]


async def refund_history(read: Read, tenant: Tenant, payment_id: str) -> RefundHistory:
    """Return what was done about a payment so far."""
    return msgspec.convert(await read.fetchrow(_HISTORY, tenant.business_id, tenant.mode, payment_id), RefundHistory)


async def list_refunds(read: Read, tenant: Tenant, filters: RefundFilters, limit: int, offset: int) -> Sequence[Refund]:
    """Return a page of refunds without their lines, newest first."""
    rows = await fetch_page(read, f"{_COLUMNS} FROM refunds r", _KEY, tenant, filters.conditions(), limit, offset)
    return [_refund(row, []) for row in rows]


async def move_refund(
    tx: Tx,
    tenant: Tenant,
    refund: Refund,
    target: RefundStatus,
    outcome: RefundOutcome,
    asked_at: datetime,
    at: datetime,
) -> Refund | None:
    """Move a refund to `target` with what that changes on its payment; return it as it is then.

    None, and no change, when the transition table refuses the move. The caller holds the payment's row, and read
    `refund` under that lock.
    """
    reference = outcome if isinstance(outcome, RefundSucceeded) else None
    row = await tx.fetchrow(
        _MOVE,
        tenant.business_id,
        tenant.mode,
        refund.refund_id,
        target,
        outcome,
        at,
        reference and reference.network_reference,
        reference and reference.network_reference_type,
        refund_origins(target),
        refund.status,
        asked_at,
    )
    return None if row is None else _refund(row, refund.lines)


async def set_refund_outcome(
    tx: Tx, tenant: Tenant, refund_id: str, outcome: RefundOutcome, asked_at: datetime, at: datetime
) -> None:
    """Store the last word of the processor; the status stays what it is."""
    await tx.execute(_HEAR, tenant.business_id, tenant.mode, refund_id, outcome, at, asked_at)


async def set_network_reference(
    tx: Tx, tenant: Tenant, refund: Refund, outcome: RefundSucceeded, asked_at: datetime, at: datetime
) -> Refund:
    """Store the number by which a succeeded refund is found, which banks give some days later; return the refund."""
    row = await tx.fetchrow(
        _REFERENCE,
        tenant.business_id,
        tenant.mode,
        refund.refund_id,
        outcome,
        at,
        outcome.network_reference,
        outcome.network_reference_type,
        asked_at,
    )
    return refund if row is None else _refund(row, refund.lines)


async def claim_refund(tx: Tx, tenant: Tenant, refund_id: str, silent_since: datetime, at: datetime) -> bool:
    """Take the right to query a pending refund without news since then, as with attempts."""
    claimed = await tx.fetchval(_CLAIM, tenant.business_id, tenant.mode, refund_id, silent_since, at)
    return claimed is not None


async def silent_refunds(read: Read, reckoning: Reckoning, silence: timedelta, limit: int) -> list[tuple[Tenant, str]]:
    """Return pending refunds without news during `silence`, the longest silent first."""
    rows = await read.fetch(
        _SILENT.format(reckoned=reckoned(reckoning, "a", 3)),
        reckoning.now - silence,
        limit,
        reckoned_value(reckoning),
    )
    return [(Tenant(row["business_id"], row["mode"]), row["refund_id"]) for row in rows]


def _refund(row: Record, lines: list[RefundLine]) -> Refund:
    fields: dict[str, Any] = dict(row)
    return msgspec.convert(fields | {"lines": lines}, Refund)
