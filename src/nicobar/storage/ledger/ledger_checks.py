"""Do the books agree with themselves, and with the payments, refunds and disputes that they are about?

For `nicobar doctor`. Each check looks at all tenants and names at most `REPORTED` rows that are wrong; an empty list
means that all is well. PostgreSQL refuses most of this when it is written, so a finding means that somebody changed
rows by hand or took a guard away.
"""

from typing import Final

from nicobar.storage.database import Read
from nicobar.storage.wrong_rows import WrongRow, wrong_rows

# The rule of the constraint `ledger_entries_balance`, in case somebody has dropped it.
_UNBALANCED: Final = """
SELECT business_id, mode, entry_id AS object_id,
    CASE WHEN gross + merchant_payable + tax_payable + fee_income + reversal_loss <> 0
        THEN settlement_currency || ' is off by ' || gross + merchant_payable + tax_payable + fee_income + reversal_loss
        ELSE currency || ' is off by ' || processor_receivable - gross
    END AS detail
FROM ledger_entries
WHERE gross + merchant_payable + tax_payable + fee_income + reversal_loss <> 0
    OR (currency = settlement_currency AND gross <> processor_receivable)
LIMIT $1
"""

_PAYMENTS_WITHOUT: Final = """
SELECT p.business_id, p.mode, p.payment_id AS object_id,
    p.total_amount || ' ' || p.currency || ' is not booked' AS detail
FROM payments p
WHERE p.status = 'succeeded' AND p.total_amount > 0 AND NOT EXISTS (
    SELECT FROM ledger_entries e WHERE e.business_id = p.business_id AND e.mode = p.mode
        AND e.reference = p.payment_id AND e.kind = 'payment')
LIMIT $1
"""

_REFUNDS_WITHOUT: Final = """
SELECT r.business_id, r.mode, r.refund_id AS object_id, r.amount || ' ' || r.currency || ' is not booked' AS detail
FROM refunds r
WHERE r.status = 'succeeded' AND NOT EXISTS (
    SELECT FROM ledger_entries e WHERE e.business_id = r.business_id AND e.mode = r.mode
        AND e.reference = r.refund_id AND e.kind = 'refund')
LIMIT $1
"""

# A dispute takes in proportion, and what is left then, a refund takes as it is: `core/ledger/reversals.py`. Then shares
# need not be those that the refund was planned with; `_BOUNDS` has them in any case.
_DISAGREE: Final = """
(SELECT e.business_id, e.mode, e.entry_id AS object_id,
    'it is not what payment ' || e.reference || ' says' AS detail
FROM ledger_entries e LEFT JOIN payments p USING (business_id, mode, payment_id)
WHERE e.kind = 'payment' AND (p.status, p.currency, p.total_amount, p.settlement_currency, p.settlement_amount,
        p.settlement_tax)
    IS DISTINCT FROM ('succeeded', e.currency, e.processor_receivable, e.settlement_currency,
        -e.merchant_payable - e.tax_payable, -e.tax_payable)
LIMIT $1)
UNION ALL
(SELECT e.business_id, e.mode, e.entry_id, 'it is not what refund ' || e.reference || ' says'
FROM ledger_entries e
LEFT JOIN refunds r ON (r.business_id, r.mode, r.refund_id) = (e.business_id, e.mode, e.reference)
LEFT JOIN ledger_entries back ON (back.business_id, back.mode, back.reference, back.kind)
    = (e.business_id, e.mode, e.reference, 'refund_reversal')
WHERE e.kind = 'refund' AND ((r.status, r.payment_id, r.currency, r.amount, r.settlement_currency)
    IS DISTINCT FROM (CASE WHEN back.entry_id IS NULL THEN 'succeeded' ELSE 'failed' END, e.payment_id, e.currency,
        -e.processor_receivable, e.settlement_currency)
    OR (r.settlement_amount, r.settlement_tax) IS DISTINCT FROM (e.merchant_payable + e.tax_payable, e.tax_payable)
        AND NOT EXISTS (SELECT FROM ledger_entries d WHERE (d.business_id, d.mode, d.payment_id, d.kind)
            = (e.business_id, e.mode, e.payment_id, 'dispute')))
LIMIT $1)
UNION ALL
(SELECT e.business_id, e.mode, e.entry_id, 'it does not reverse the entry of refund ' || e.reference
FROM ledger_entries e
LEFT JOIN ledger_entries r ON (r.business_id, r.mode, r.reference, r.kind)
    = (e.business_id, e.mode, e.reference, 'refund')
WHERE e.kind = 'refund_reversal' AND ((r.payment_id, r.currency, r.processor_receivable, r.settlement_currency)
    IS DISTINCT FROM (e.payment_id, e.currency, -e.processor_receivable, e.settlement_currency)
    OR (r.gross, r.merchant_payable, r.tax_payable, r.fee_income, r.reversal_loss) IS DISTINCT FROM (-e.gross,
        -e.merchant_payable, -e.tax_payable, -e.fee_income, -e.reversal_loss)
        AND NOT EXISTS (SELECT FROM ledger_entries d WHERE (d.business_id, d.mode, d.payment_id, d.kind)
            = (e.business_id, e.mode, e.payment_id, 'dispute')))
LIMIT $1)
LIMIT $1
"""

# What the books hold as taken away has to be what the dispute says: its amount, or nothing. A charge that did not pay
# its payment never came into the books (`flows/disputes/record_dispute.py`).
_DISPUTES: Final = """
SELECT coalesce(d.business_id, e.business_id) AS business_id, coalesce(d.mode, e.mode) AS mode,
    coalesce(d.dispute_id, e.reference) AS object_id,
    coalesce(e.taken, 0) || ' is booked as taken away, and it should be ' || coalesce(d.expected, 0) AS detail
FROM (
    SELECT d.business_id, d.mode, d.dispute_id,
        CASE WHEN d.money_out AND p.status = 'succeeded' AND NOT a.is_surplus THEN d.amount ELSE 0 END AS expected
    FROM disputes d JOIN payments p USING (business_id, mode, payment_id)
        JOIN attempts a ON (a.business_id, a.mode, a.attempt_id) = (d.business_id, d.mode, d.attempt_id)) AS d
FULL JOIN (
    SELECT business_id, mode, reference, -sum(processor_receivable) AS taken FROM ledger_entries
    WHERE kind IN ('dispute', 'dispute_reversal') GROUP BY business_id, mode, reference) AS e
    ON d.business_id = e.business_id AND d.mode = e.mode AND d.dispute_id = e.reference
WHERE coalesce(e.taken, 0) <> coalesce(d.expected, 0)
LIMIT $1
"""

# Of no account more is given back than was booked, and there is a loss only where nothing is left.
_BOUNDS: Final = """
SELECT business_id, mode, payment_id AS object_id,
    'of ' || settlement || ' settlement, ' || tax || ' tax and ' || fee || ' fee are left ' || settlement_left || ', '
        || tax_left || ' and ' || fee_left || ', and ' || lost || ' is lost' AS detail
FROM (
    SELECT p.business_id, p.mode, p.payment_id, -p.merchant_payable AS settlement, -p.tax_payable AS tax,
        -p.fee_income AS fee, -p.merchant_payable - back.settlement AS settlement_left,
        -p.tax_payable - back.tax AS tax_left, -p.fee_income - back.fee AS fee_left, back.lost
    FROM (
        SELECT business_id, mode, payment_id, sum(merchant_payable) AS settlement, sum(tax_payable) AS tax,
            sum(fee_income) AS fee, sum(reversal_loss) AS lost
        FROM ledger_entries WHERE kind <> 'payment' GROUP BY business_id, mode, payment_id) AS back
    JOIN ledger_entries p ON (p.business_id, p.mode, p.reference, p.kind)
        = (back.business_id, back.mode, back.payment_id, 'payment')) AS books
WHERE settlement_left NOT BETWEEN least(settlement, 0) AND greatest(settlement, 0)
    OR tax_left NOT BETWEEN least(tax, 0) AND greatest(tax, 0)
    OR fee_left NOT BETWEEN least(fee, 0) AND greatest(fee, 0)
    OR lost < 0 OR lost > 0 AND (settlement_left, tax_left, fee_left) <> (0, 0, 0)
LIMIT $1
"""

_MARKS: Final = """
SELECT business_id, mode, entry_id AS object_id,
    balance || ' ' || currency || ' is remembered, and the entries sum to ' || total AS detail
FROM (
    SELECT e.business_id, e.mode, e.entry_id, m.balance, m.currency, -sum(e.merchant_payable) OVER (
        PARTITION BY e.business_id, e.mode, e.settlement_currency ORDER BY e.entry_id ROWS UNBOUNDED PRECEDING) AS total
    FROM ledger_entries e LEFT JOIN ledger_marks m
        ON (m.business_id, m.mode, m.currency, m.entry_id)
            = (e.business_id, e.mode, e.settlement_currency, e.entry_id)
    WHERE EXISTS (SELECT FROM ledger_marks)) AS summed
WHERE balance <> total LIMIT $1
"""


async def unbalanced_entries(read: Read) -> list[WrongRow]:
    """Return entries whose postings do not sum to zero in a currency."""
    return await wrong_rows(read, _UNBALANCED)


async def payments_without_entry(read: Read) -> list[WrongRow]:
    """Return succeeded payments that are not in the books. Free ones moved no money and need no entry."""
    return await wrong_rows(read, _PAYMENTS_WITHOUT)


async def refunds_without_entry(read: Read) -> list[WrongRow]:
    """Return succeeded refunds that are not in the books."""
    return await wrong_rows(read, _REFUNDS_WITHOUT)


async def entries_that_disagree(read: Read) -> list[WrongRow]:
    """Return entries whose amounts, currencies or end differ from those of their payment or refund."""
    return await wrong_rows(read, _DISAGREE)


async def disputes_that_disagree(read: Read) -> list[WrongRow]:
    """Return disputes of which the books hold another amount as taken away than they say."""
    return await wrong_rows(read, _DISPUTES)


async def payments_given_back_beyond(read: Read) -> list[WrongRow]:
    """Return payments of which more was given back on an account than was booked, or a loss that is none."""
    return await wrong_rows(read, _BOUNDS)


async def marks_that_disagree(read: Read) -> list[WrongRow]:
    """Return remembered balances that are not the sum of the entries before them; they may simply be deleted."""
    return await wrong_rows(read, _MARKS)
