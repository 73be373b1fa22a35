"""The seller's account as a list of lines with its balance around each, fast at a million entries.

A balance is a sum over all entries before it. Carrying it on each row would make payments wait for one another, so it
is computed when somebody reads: from the nearest mark before a line, or from the next older line of the page, over an
index that holds nothing else. Marks are made as reading goes (`mark_balances`).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from nicobar.core.business.tenant import Tenant
from nicobar.core.ids import lowest_id
from nicobar.core.ledger.ledger import SellerLine
from nicobar.storage.database import Read, Record, Tx
from nicobar.storage.listing import Condition, CreatedBetween, equal, where

MARK_EVERY: Final = 1000
"""Entries between two marks."""

MARKED_AT_ONCE: Final = 200_000
"""Entries that one call of `mark_balances` goes through."""

# In an entry, the line about the whole comes before the line about the tax.
_PAGE: Final = """
WITH page AS MATERIALIZED (
    SELECT e.entry_id, e.settlement_currency AS currency, e.reference, e.created_at, e.merchant_payable,
        line.position, line.type, line.amount
    FROM ledger_entries e CROSS JOIN LATERAL (VALUES
        (1, e.kind, -e.merchant_payable - e.tax_payable),
        (2, CASE WHEN e.tax_payable < 0 THEN 'tax' ELSE 'tax_reversal' END, e.tax_payable)
    ) AS line (position, type, amount)
    WHERE {conditions} AND line.amount <> 0
    ORDER BY e.entry_id DESC, line.position DESC LIMIT {limit:d} OFFSET {offset:d}
), stops AS (
    SELECT currency, entry_id, lag(entry_id, 1, '') OVER (PARTITION BY currency ORDER BY entry_id) AS previous
    FROM (SELECT DISTINCT currency, entry_id FROM page) AS entries
)
SELECT page.*, mark.balance AS marked, stretch.moved, stretch.entries
FROM page JOIN stops USING (currency, entry_id)
LEFT JOIN LATERAL (
    SELECT m.entry_id, m.balance FROM ledger_marks m
    WHERE m.business_id = $1 AND m.mode = $2 AND m.currency = stops.currency
      AND m.entry_id > stops.previous AND m.entry_id <= stops.entry_id
    ORDER BY m.entry_id DESC LIMIT 1
) AS mark ON true
CROSS JOIN LATERAL (
    SELECT coalesce(-sum(e.merchant_payable), 0)::bigint AS moved, count(*) AS entries FROM ledger_entries e
    WHERE e.business_id = $1 AND e.mode = $2 AND e.settlement_currency = stops.currency
      AND e.entry_id > coalesce(mark.entry_id, stops.previous) AND e.entry_id <= stops.entry_id
) AS stretch
ORDER BY page.entry_id DESC, page.position DESC
"""

_MARK: Final = """
WITH last AS (
    SELECT entry_id, balance FROM ledger_marks WHERE business_id = $1 AND mode = $2 AND currency = $3
    ORDER BY entry_id DESC LIMIT 1
), stretch AS (
    SELECT entry_id, merchant_payable FROM ledger_entries
    WHERE business_id = $1 AND mode = $2 AND settlement_currency = $3
      AND entry_id > coalesce((SELECT entry_id FROM last), '') AND entry_id < $4
    ORDER BY entry_id LIMIT $5
), counted AS (
    SELECT entry_id, row_number() OVER steps AS number, sum(-merchant_payable) OVER steps AS moved
    FROM stretch WINDOW steps AS (ORDER BY entry_id ROWS UNBOUNDED PRECEDING)
)
INSERT INTO ledger_marks (business_id, mode, currency, entry_id, balance)
SELECT $1, $2, $3, entry_id, coalesce((SELECT balance FROM last), 0) + moved FROM counted WHERE number % $6 = 0
ON CONFLICT DO NOTHING
"""


_KEY: Final = "e.entry_id"


class LineFilters(CreatedBetween, frozen=True, kw_only=True):
    """What a list of lines is narrowed to; None means no filter."""

    currency: str | None = None
    event_type: str | None = None
    reference_object_id: str | None = None

    def conditions(self) -> list[Condition]:
        """Return the filters in SQL, but for the type, which is no column."""
        columns = {"e.settlement_currency": self.currency, "e.reference": self.reference_object_id}
        return self.dates(_KEY, "led") + equal(columns)


class AccountPage(NamedTuple):
    """A page of the seller's account."""

    lines: list[SellerLine]
    unmarked: dict[str, int]
    """How many entries were added up for it, by currency: where they are many, marks are missing."""


async def list_lines(read: Read, tenant: Tenant, filters: LineFilters, limit: int, offset: int) -> AccountPage:
    """Return a page of the lines of the seller's account, newest first.

    The balances are those of the whole account, whatever the filters leave out.
    """
    conditions, values = where(_KEY, tenant, filters.conditions())
    if filters.event_type is not None:
        conditions += f" AND {_OF_TYPE.get(filters.event_type, 'false')}"  # no line has any other type
    query = _PAGE.format(conditions=conditions, limit=limit, offset=offset)
    lines: list[SellerLine] = []
    unmarked: dict[str, int] = {}
    balances: dict[str, int] = {}
    last = ""
    for row in reversed(await read.fetch(query, *values)):
        currency, entry_id = row["currency"], row["entry_id"]
        if entry_id != last:
            start = balances.get(currency, 0) if row["marked"] is None else row["marked"]
            balances[currency] = start + row["moved"]
            unmarked[currency] = unmarked.get(currency, 0) + row["entries"]
            last = entry_id
        lines.append(_line(row, balances[currency]))
    lines.reverse()
    return AccountPage(lines, unmarked)


async def mark_balances(tx: Tx, tenant: Tenant, currency: str, until: datetime) -> None:
    """Remember the seller's balance after every thousandth entry of those that were made before `until`.

    `until` has to be so long ago that no transaction can still add an entry before it. A mark that exists stays, so
    several may do this at the same time.
    """
    end = lowest_id("led", until)
    await tx.execute(_MARK, tenant.business_id, tenant.mode, currency, end, MARKED_AT_ONCE, MARK_EVERY)


_OF_TYPE: Final[Mapping[str, str]] = {
    "payment": "line.type = 'payment'",
    "refund": "e.kind = 'refund' AND line.position = 1",
    "refund_reversal": "e.kind = 'refund_reversal' AND line.position = 1",
    "dispute": "e.kind = 'dispute' AND line.position = 1",
    "dispute_reversal": "e.kind = 'dispute_reversal' AND line.position = 1",
    "tax": "e.tax_payable < 0 AND line.position = 2",
    "tax_reversal": "e.kind IN ('refund', 'dispute') AND line.position = 2",
}
"""Types as words of SQL: those which are few are found by their own index, the others by reading from the newest on.

Payments, refunds that came back and disputed amounts that return credit `tax_payable`, and nothing else does."""


def _line(row: Record, balance: int) -> SellerLine:
    """Return a line; `balance` is the one after its entry."""
    is_tax = row["position"] == 2
    after = balance if is_tax else balance + row["merchant_payable"] + row["amount"]
    return SellerLine(
        line_id=f"{row['entry_id']}_tax" if is_tax else row["entry_id"],
        type=row["type"],
        amount=row["amount"],
        currency=row["currency"],
        reference=row["reference"],
        created_at=row["created_at"],
        before=after - row["amount"],
        after=after,
    )
