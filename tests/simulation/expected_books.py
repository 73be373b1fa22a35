"""What the accounts of the ledger must hold, recomputed from payments, refunds and disputes.

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
       p.pricing #>> '{charge,settlement,denominator}' AS denominator
FROM payments p
WHERE p.status = 'succeeded' AND p.total_amount > 0
"""


_MOVES = """
SELECT m.number, r.payment_id, r.refund_id AS id, r.amount, r.settlement_amount AS settlement, r.settlement_tax AS tax,
       CASE m.target WHEN 'succeeded' THEN 'out' WHEN 'failed' THEN 'back' END AS way
FROM auditor.moves m JOIN refunds r ON (r.business_id, r.mode, r.refund_id) = (m.business_id, m.mode, m.id)
WHERE m.kind = 'refunds' AND (m.target = 'succeeded' OR m.origin = 'succeeded')
UNION ALL
SELECT m.number, d.payment_id, d.dispute_id, d.amount, NULL, NULL,
       CASE WHEN m.target IN ('dispute_won', 'dispute_cancelled') THEN 'back' ELSE 'out' END
FROM auditor.moves m JOIN disputes d ON (d.business_id, d.mode, d.dispute_id) = (m.business_id, m.mode, m.id)
WHERE m.kind = 'disputes'
ORDER BY number
"""
"""Nothing is disputed here in another currency than that of the charge, and nothing before the money is away."""


async def expected_sums(connection: "asyncpg.Connection[asyncpg.Record]") -> Sums:
    """Return the balance of every account that is not zero."""
    moves: dict[str, list[Any]] = {}
    for move in await connection.fetch(_MOVES):
        moves.setdefault(move["payment_id"], []).append(move)
    sums: Sums = {}
    for row in await connection.fetch(_PAYMENTS):
        _add(sums, row, moves.get(row["payment_id"], []))
    return {key: amount for key, amount in sums.items() if amount}


def _add(sums: Sums, row: Any, moves: list[Any]) -> None:
    """Add what a payment, its refunds and its disputes move."""
    total, settlement, tax = row["total_amount"], row["settlement_amount"], row["settlement_tax"]
    gross = total
    if row["currency"] != row["settlement_currency"]:
        gross = _half_up(total * int(row["denominator"]), int(row["numerator"]))
    left = _left(moves, total, gross, settlement, tax)
    _post(sums, row, "processor_receivable", row["currency"], left["paid"])
    if row["currency"] != row["settlement_currency"]:
        _post(sums, row, "conversion_clearing", row["currency"], -left["paid"])
        _post(sums, row, "conversion_clearing", row["settlement_currency"], left["gross"] - left["lost"])
    _post(sums, row, "merchant_payable", row["settlement_currency"], left["tax"] - left["settlement"])
    _post(sums, row, "tax_payable", row["settlement_currency"], -left["tax"])
    _post(sums, row, "fee_income", row["settlement_currency"], left["settlement"] - left["gross"])
    _post(sums, row, "reversal_loss", row["settlement_currency"], left["lost"])


def _left(moves: list[Any], total: int, gross: int, settlement: int, tax: int) -> dict[str, int]:
    """Return what is left of a payment after its moves, in their order.

    A refund takes what it says and a dispute its part of what is left; a part beyond that is lost. What comes back is
    what its own move took, unless something was lost meanwhile or, where disputes are involved, the count says
    otherwise. When nothing is away any more, everything is there.
    """
    left = {"paid": total, "gross": gross, "settlement": settlement, "tax": tax, "lost": 0}
    whole = dict(left)
    out: dict[str, dict[str, int]] = {}
    disputed = False
    for move in moves:
        before = dict(left)
        taken = out.pop(move["id"], None)
        if move["way"] == "back" and taken is not None:
            left["paid"] += taken["paid"]
        elif move["way"] == "out" and taken is None:
            left["paid"] -= move["amount"]
        else:  # a later stage with the same money
            if taken is not None:
                out[move["id"]] = taken
            continue
        disputed = disputed or move["settlement"] is None
        worth = _half_up(gross * (total - left["paid"]), total)
        if left["paid"] == total:
            left = dict(whole)
            continue
        if taken is not None and taken["lost"] == before["lost"]:
            mirrored = {name: before[name] + taken[name] for name in left if name != "lost"} | {"lost": 0}
            if not disputed or (mirrored["gross"] == gross - worth and _within(mirrored, whole)):
                left = mirrored
                continue
        left["lost"], left["gross"] = max(0, worth - gross), gross - min(worth, gross)
        if move["settlement"] is not None and move["way"] == "out" and not left["lost"]:
            left["settlement"] -= move["settlement"]
            left["tax"] -= move["tax"]
        else:
            for name in ("settlement", "tax"):
                if left["gross"] <= before["gross"]:
                    left[name] = before[name] - _part(before[name], before["gross"] - left["gross"], before["gross"])
                else:
                    missing, part = gross - before["gross"], left["gross"] - before["gross"]
                    left[name] = before[name] + _part(whole[name] - before[name], part, missing)
        if move["way"] == "out":
            out[move["id"]] = {name: before[name] - left[name] for name in left if name != "lost"} | {
                "lost": left["lost"] - before["lost"]
            }
    return left


def _within(left: dict[str, int], whole: dict[str, int]) -> bool:
    """Return whether seller, authorities and fee have at most what was booked."""
    return all(
        here <= there
        for here, there in (
            (left["settlement"] - left["tax"], whole["settlement"] - whole["tax"]),
            (left["tax"], whole["tax"]),
            (left["gross"] - left["settlement"], whole["gross"] - whole["settlement"]),
        )
    )


def _part(whole: int, part: int, of: int) -> int:
    return whole if part == of else _half_up(whole * part, of)


def _post(sums: Sums, row: Any, account: str, currency: str, amount: int) -> None:
    key = (row["business_id"], row["mode"], account, currency)
    sums[key] = sums.get(key, 0) + amount


def _half_up(numerator: int, denominator: int) -> int:
    """Divide two numbers that are not negative, and round half up."""
    return (2 * numerator + denominator) // (2 * denominator)
