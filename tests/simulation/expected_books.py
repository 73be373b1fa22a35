"""What the accounts of the ledger must hold, computed anew from payments, refunds and disputes.

The rules are those of the contract (`money.md`, sections 8 and 9) and of decision 0013, written down a second time.
"""

from typing import Any

import asyncpg

Sums = dict[tuple[str, str, str, str], int]
"""(business, mode, account, currency) -> minor units; a debit is positive."""

_PAYMENTS = """
SELECT p.business_id, p.mode, p.payment_id, p.currency, p.total_amount,
       p.settlement_currency, p.settlement_amount, p.settlement_tax,
       p.pricing #>> '{charge,settlement,numerator}' AS numerator,
       p.pricing #>> '{charge,settlement,denominator}' AS denominator,
       coalesce(r.amount, 0) AS refunded, coalesce(r.settlement_amount, 0) AS refunded_settlement,
       coalesce(r.settlement_tax, 0) AS refunded_tax, coalesce(d.amounts, ARRAY[]::bigint[]) AS disputed
FROM payments p LEFT JOIN (
    SELECT business_id, mode, payment_id, sum(amount)::bigint AS amount,
           sum(settlement_amount)::bigint AS settlement_amount, sum(settlement_tax)::bigint AS settlement_tax
    FROM refunds WHERE status = 'succeeded' GROUP BY 1, 2, 3) r USING (business_id, mode, payment_id)
LEFT JOIN (
    SELECT business_id, mode, payment_id, array_agg(amount) AS amounts FROM disputes
    WHERE status IN ('dispute_accepted', 'dispute_lost')
       OR (stage <> 'pre_dispute' AND status NOT IN ('dispute_cancelled', 'dispute_won'))
    GROUP BY 1, 2, 3) d USING (business_id, mode, payment_id)
WHERE p.status = 'succeeded' AND p.total_amount > 0
"""


_ENDS = """
SELECT r.payment_id, r.refund_id, r.amount, m.target
FROM auditor.moves m JOIN refunds r ON (r.business_id, r.mode, r.refund_id) = (m.business_id, m.mode, m.id)
WHERE m.kind = 'refunds' ORDER BY m.number
"""


async def expected_sums(connection: "asyncpg.Connection[asyncpg.Record]") -> Sums:
    """Return the balance of every account that is not zero."""
    ends: dict[str, list[Any]] = {}
    for end in await connection.fetch(_ENDS):
        ends.setdefault(end["payment_id"], []).append(end)
    sums: Sums = {}
    for row in await connection.fetch(_PAYMENTS):
        _add(sums, row, ends.get(row["payment_id"], []))
    return {key: amount for key, amount in sums.items() if amount}


def _add(sums: Sums, row: Any, ends: list[Any]) -> None:
    """Add what a payment, its refunds and its disputes move."""
    total, settlement, tax = row["total_amount"], row["settlement_amount"], row["settlement_tax"]
    gross = total
    if row["currency"] != row["settlement_currency"]:
        gross = _half_up(total * int(row["denominator"]), int(row["numerator"]))
    refunded = row["refunded"]
    moves = [
        (total, gross, settlement, tax),
        (-refunded, -_worth(ends, gross, total), -row["refunded_settlement"], -row["refunded_tax"]),
    ]
    for amount in row["disputed"]:
        parts = [_half_up(whole * amount, total) for whole in (gross, settlement, tax)]
        moves.append((-amount, -parts[0], -parts[1], -parts[2]))
    for paid, worth, earned, taxed in moves:
        _post(sums, row, "processor_receivable", row["currency"], paid)
        if row["currency"] != row["settlement_currency"]:
            _post(sums, row, "conversion_clearing", row["currency"], -paid)
            _post(sums, row, "conversion_clearing", row["settlement_currency"], worth)
        _post(sums, row, "merchant_payable", row["settlement_currency"], taxed - earned)
        _post(sums, row, "tax_payable", row["settlement_currency"], -taxed)
        _post(sums, row, "fee_income", row["settlement_currency"], earned - worth)


def _worth(ends: list[Any], gross: int, total: int) -> int:
    """Return what the refunds that stand are worth of the gross.

    Each is worth what it adds to those that stood when it succeeded, and takes exactly that back when it comes back.
    """
    standing: dict[str, tuple[int, int]] = {}
    for end in ends:
        if end["target"] == "succeeded":
            refunded = end["amount"] + sum(amount for amount, _ in standing.values())
            before = sum(worth for _, worth in standing.values())
            standing[end["refund_id"]] = (end["amount"], _half_up(gross * refunded, total) - before)
        else:
            standing.pop(end["refund_id"], None)
    return sum(worth for _, worth in standing.values())


def _post(sums: Sums, row: Any, account: str, currency: str, amount: int) -> None:
    key = (row["business_id"], row["mode"], account, currency)
    sums[key] = sums.get(key, 0) + amount


def _half_up(numerator: int, denominator: int) -> int:
    """Divide two numbers that are not negative, and round half up."""
    return (2 * numerator + denominator) // (2 * denominator)
