"""The statements that change a payment's status, all of them. Whoever may run one is named in `pyproject.toml`.

Each names the statuses that it may begin at, from `core/payments/payment.py:TRANSITIONS`: Python and SQL share it.
"""

from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.business.business_clock import Reckoning
from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Attempt, CardDetails, Payment, PaymentStatus, origins
from nicobar.core.payments.three_ds import ThreeDs
from nicobar.storage.database import Tx
from nicobar.storage.test_clocks import reckoned, reckoned_value

# What the attempt before has left (card, saved method, authentication, errors) goes.
_BEGIN: Final = """
WITH begun AS (
    INSERT INTO attempts (business_id, mode, attempt_id, payment_id, processor, amount, currency, card,
                          created_at, updated_at, save_method, account)
    VALUES ($1, $2, $4, $3, $5, $6, $7, $8, $9, $9, $10, $15)
)
UPDATE payments SET status = 'processing', updated_at = $9, error_code = NULL, error_message = NULL,
    payment_method = $11, payment_method_type = $12, card = $8, payment_method_id = $13, three_ds = NULL
WHERE business_id = $1 AND mode = $2 AND payment_id = $3 AND status = ANY($14::text[])
RETURNING true
"""

# A move that names a method ($8) is of another attempt than the last: what that one has left goes.
_MOVE: Final = """
UPDATE payments SET status = $4, updated_at = $5, error_code = $6, error_message = $7,
    payment_method = coalesce($8, payment_method), payment_method_type = coalesce($9, payment_method_type),
    card = CASE WHEN $8 IS NULL THEN coalesce($10, card) ELSE $10 END,
    payment_method_id = CASE WHEN $8 IS NULL THEN coalesce($12, payment_method_id) ELSE $12 END,
    three_ds = CASE WHEN $8 IS NULL THEN coalesce($13, three_ds) ELSE $13 END
WHERE business_id = $1 AND mode = $2 AND payment_id = $3 AND status = ANY($11::text[])
RETURNING status, updated_at, error_code, error_message, payment_method, payment_method_type, card, payment_method_id,
    three_ds
"""

# The live attempt is asked for although a payment with one has another status: two locks on one door. The list is
# materialised, because a join may evaluate it once more for each row, and every time it would find another batch.
_CANCEL_EXPIRED: Final = """
WITH due AS MATERIALIZED (
    SELECT business_id, mode, payment_id FROM payments d
    WHERE status = 'requires_payment_method' AND expires_on <= $1 AND NOT EXISTS (
        SELECT FROM attempts a
        WHERE (a.business_id, a.mode, a.payment_id) = (d.business_id, d.mode, d.payment_id) AND resolved_at IS NULL)
        AND {reckoned}
    ORDER BY expires_on LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE payments p SET status = 'cancelled', updated_at = $1
FROM due
WHERE (p.business_id, p.mode, p.payment_id) = (due.business_id, due.mode, due.payment_id)
  AND p.status = ANY($3::text[])
RETURNING p.business_id, p.mode, p.payment_id, p.expires_on
"""


async def begin_attempt(
    tx: Tx,
    payment: Payment,
    attempt: Attempt,
    *,
    payment_method: str,
    payment_method_type: str,
    payment_method_id: str | None,
) -> None:
    """Store a new attempt, whose outcome is not known yet, and move its payment to `processing`.

    Raises UniqueViolation `attempts_one_live` at the end of the block when the payment has a live attempt already, and
    RuntimeError when the transition table refuses the move, which rolls everything back: a bug of ours.
    """
    begun = await tx.fetchval(
        _BEGIN,
        payment.business_id,
        payment.mode,
        payment.payment_id,
        attempt.attempt_id,
        attempt.processor,
        attempt.amount,
        attempt.currency,
        attempt.card,
        attempt.created_at,
        attempt.save_method,
        payment_method,
        payment_method_type,
        payment_method_id,
        origins("processing"),
        attempt.account,
    )
    if begun is None:
        raise RuntimeError(f"{payment.payment_id} cannot move from {payment.status} to processing")


async def move_payment(
    tx: Tx,
    payment: Payment,
    target: PaymentStatus,
    at: datetime,
    *,
    payment_method: str | None = None,
    payment_method_type: str | None = None,
    card: CardDetails | None = None,
    error_code: str | None = None,
    error_message: str | None = None,
    payment_method_id: str | None = None,
    three_ds: ThreeDs | None = None,
) -> Payment | None:
    """Move a payment to `target` and return it as it is then; None when the transition table refuses the move.

    The table is applied to the status that the payment has now, whatever `payment` says. The error fields become what
    is given, so they are cleared by every move that names none. `card`, `payment_method_id` and `three_ds` stay when
    none is given, except that a move with a `payment_method` clears them.
    """
    row = await tx.fetchrow(
        _MOVE,
        payment.business_id,
        payment.mode,
        payment.payment_id,
        target,
        at,
        error_code,
        error_message,
        payment_method,
        payment_method_type,
        card,
        origins(target),
        payment_method_id,
        three_ds,
    )
    return None if row is None else msgspec.convert(msgspec.structs.asdict(payment) | dict(row), Payment)


async def cancel_expired(tx: Tx, reckoning: Reckoning, limit: int) -> list[tuple[Tenant, str]]:
    """Cancel at most `limit` unpaid payments whose link has ended, the longest ended first; return them in this order.

    A payment that somebody is working on at this moment is left for the next round.
    """
    query = _CANCEL_EXPIRED.format(reckoned=reckoned(reckoning, "d", 4))
    rows = await tx.fetch(query, reckoning.now, limit, origins("cancelled"), reckoned_value(reckoning))
    rows.sort(key=lambda row: (row["expires_on"], row["payment_id"]))  # an UPDATE returns rows in any order
    return [(Tenant(row["business_id"], row["mode"]), row["payment_id"]) for row in rows]
