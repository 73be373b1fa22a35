"""What `nicobar doctor` asks about refunds: whether the sums are right, and whether any waits for too long."""

from datetime import datetime
from typing import Final

from nicobar.storage.database import Read
from nicobar.storage.wrong_rows import WrongRow, wrong_rows

_DIFFERENCES: Final = """
WITH of_payments AS (
    SELECT business_id, mode, payment_id,
        coalesce(sum(amount) FILTER (WHERE status <> 'failed'), 0) AS reserved,
        coalesce(sum(settlement_amount) FILTER (WHERE status <> 'failed'), 0) AS settlement,
        coalesce(sum(amount) FILTER (WHERE status = 'succeeded'), 0) AS succeeded
    FROM refunds GROUP BY business_id, mode, payment_id
), of_refunds AS (
    SELECT business_id, mode, refund_id, sum(amount) AS amount, sum(tax) AS tax, sum(settlement_amount) AS settlement,
        sum(settlement_tax) AS settlement_tax
    FROM refund_lines GROUP BY business_id, mode, refund_id
), of_lines AS (
    SELECT business_id, mode, l.payment_id, l.position, sum(l.amount) AS amount, sum(l.tax) AS tax,
        sum(l.settlement_amount) AS settlement, sum(l.settlement_tax) AS settlement_tax
    FROM refund_lines l JOIN refunds r USING (business_id, mode, refund_id)
    WHERE r.status <> 'failed' GROUP BY business_id, mode, l.payment_id, l.position
)
SELECT business_id, mode, payment_id AS object_id, 'what is refunded of it is not the sum of its refunds' AS detail
FROM payments p LEFT JOIN of_payments s USING (business_id, mode, payment_id)
WHERE (p.refund_reserved_amount, p.refund_reserved_settlement_amount, p.refund_succeeded_amount)
    <> (coalesce(s.reserved, 0), coalesce(s.settlement, 0), coalesce(s.succeeded, 0))
UNION ALL
SELECT business_id, mode, refund_id, 'it is not the sum of its lines'
FROM refunds r LEFT JOIN of_refunds s USING (business_id, mode, refund_id)
WHERE (r.amount, r.tax, r.settlement_amount, r.settlement_tax)
    IS DISTINCT FROM (s.amount::bigint, s.tax::bigint, s.settlement::bigint, s.settlement_tax::bigint)
UNION ALL
SELECT business_id, mode, payment_id, 'what is refunded of its line ' || position || ' is not the sum of its refunds'
FROM payment_lines l LEFT JOIN of_lines s USING (business_id, mode, payment_id, position)
WHERE (l.refund_reserved_amount, l.refund_reserved_tax,
       l.refund_reserved_settlement_amount, l.refund_reserved_settlement_tax)
    <> (coalesce(s.amount, 0), coalesce(s.tax, 0), coalesce(s.settlement, 0), coalesce(s.settlement_tax, 0))
ORDER BY object_id, detail LIMIT $1
"""

_PENDING: Final = """
SELECT business_id, mode, refund_id AS object_id, 'pending since ' || created_at AS detail
FROM refunds
WHERE status = 'pending' AND created_at < $1 ORDER BY created_at LIMIT $2
"""

_ENDED_OTHERWISE: Final = """
SELECT business_id, mode, refund_id AS object_id,
    'it counts as ' || status || ', and the processor says now: ' || (outcome ->> 'type') AS detail
FROM refunds WHERE status <> 'pending' AND outcome ->> 'type' <> status LIMIT $1
"""


async def refund_differences(read: Read) -> list[WrongRow]:
    """Return payments, lines and refunds whose amounts are not the sums that they should be."""
    return await wrong_rows(read, _DIFFERENCES)


async def refunds_pending_too_long(read: Read, before: datetime) -> list[WrongRow]:
    """Return refunds that were asked for before a moment and have not ended, the oldest first."""
    return await wrong_rows(read, _PENDING, before)


async def refunds_that_ended_otherwise(read: Read) -> list[WrongRow]:
    """Return refunds of whose end the processor has said the opposite since: somebody has to see to their money."""
    return await wrong_rows(read, _ENDED_OTHERWISE)
