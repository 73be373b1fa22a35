"""The books in PostgreSQL: entries are inserted and read, and never changed."""

from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.ledger.ledger import LedgerAccount, LedgerEntry, Posting
from nicobar.storage.database import Read, Record, Tx

INTO_LEDGER: Final = """
business_id, mode, entry_id, kind, payment_id, reference, turn, created_at, currency,
processor_receivable, settlement_currency, gross, merchant_payable, tax_payable, fee_income, reversal_loss
"""

GIVEN_ENTRY: Final = """
entry_id text, kind text, payment_id text, reference text, turn smallint, created_at timestamptz, currency text,
processor_receivable bigint, settlement_currency text, gross bigint, merchant_payable bigint, tax_payable bigint,
fee_income bigint, reversal_loss bigint
"""
"""The fields of an `EntryRow`, as PostgreSQL reads them out of JSON; the tenant's columns come before them."""

_INSERT: Final = f"""
INSERT INTO ledger_entries ({INTO_LEDGER})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""

_OF_PAYMENT: Final = """
SELECT * FROM ledger_entries
WHERE business_id = $1 AND mode = $2
  AND (reference = $3 AND kind = 'payment' OR payment_id = $3 AND kind <> 'payment')
ORDER BY entry_id
"""


class EntryRow(msgspec.Struct, frozen=True):
    """The columns of an entry after those of the tenant."""

    entry_id: str
    kind: str
    payment_id: str
    reference: str
    turn: int
    created_at: datetime
    currency: str
    processor_receivable: int
    settlement_currency: str
    gross: int
    merchant_payable: int
    tax_payable: int
    fee_income: int
    reversal_loss: int


def row_of_entry(entry: LedgerEntry) -> EntryRow:
    """Return an entry as it is stored."""
    return EntryRow(
        entry.entry_id,
        entry.kind,
        entry.payment_id,
        entry.reference,
        entry.turn,
        entry.created_at,
        entry.currency,
        entry.received,
        entry.settlement_currency,
        entry.gross,
        entry.amount("merchant_payable", entry.settlement_currency),
        entry.amount("tax_payable", entry.settlement_currency),
        entry.amount("fee_income", entry.settlement_currency),
        entry.lost,
    )


async def insert_entry(tx: Tx, tenant: Tenant, entry: LedgerEntry) -> None:
    """Store an entry in the transaction of what it records.

    PostgreSQL refuses one that does not balance. Raises UniqueViolation `ledger_entries_once` at the end of the block
    when the same movement is in the books already.
    """
    await tx.execute(_INSERT, tenant.business_id, tenant.mode, *msgspec.structs.astuple(row_of_entry(entry)))


async def entries_of(read: Read, tenant: Tenant, payment_id: str) -> list[LedgerEntry]:
    """Return the entries about a payment, its refunds and its disputes, the oldest first."""
    rows = await read.fetch(_OF_PAYMENT, tenant.business_id, tenant.mode, payment_id)
    return [_entry(row) for row in rows]


def _entry(row: Record) -> LedgerEntry:
    currency, settled = row["currency"], row["settlement_currency"]
    postings = [Posting("processor_receivable", currency, row["processor_receivable"])]
    if currency != settled:
        postings.append(Posting("conversion_clearing", currency, -row["processor_receivable"]))
        postings.append(Posting("conversion_clearing", settled, row["gross"]))
    postings += [Posting(account, settled, row[account]) for account in _SETTLED]
    return LedgerEntry(
        entry_id=row["entry_id"],
        kind=row["kind"],
        payment_id=row["payment_id"],
        reference=row["reference"],
        turn=row["turn"],
        created_at=row["created_at"],
        currency=currency,
        settlement_currency=settled,
        postings=tuple([posting for posting in postings if posting.amount]),
    )


_SETTLED: Final[tuple[LedgerAccount, ...]] = ("merchant_payable", "tax_payable", "fee_income", "reversal_loss")
"""The accounts that are kept in the settlement currency."""
