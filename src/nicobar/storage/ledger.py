"""The books in PostgreSQL: entries are inserted and read, and never changed."""

from typing import Final

from nicobar.core.ledger import Account, Entry, Posting
from nicobar.core.tenant import Tenant
from nicobar.storage.database import Read, Record, Tx

_INSERT: Final = """
INSERT INTO ledger_entries (business_id, mode, entry_id, kind, payment_id, reference, turn, created_at, currency,
    settlement_currency, processor_receivable, charge_clearing, settlement_clearing, merchant_payable, tax_payable,
    fee_income)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""

_OF_PAYMENT: Final = """
SELECT * FROM ledger_entries
WHERE business_id = $1 AND mode = $2
  AND (reference = $3 AND kind = 'payment' OR payment_id = $3 AND kind <> 'payment')
ORDER BY entry_id
"""


async def insert_entry(tx: Tx, tenant: Tenant, entry: Entry) -> None:
    """Store an entry in the transaction of what it records.

    PostgreSQL refuses one that does not balance. Raises UniqueViolation `ledger_entries_once` at the end of the block
    when the same movement is in the books already.
    """
    one_currency = entry.currency == entry.settlement_currency
    await tx.execute(
        _INSERT,
        tenant.business_id,
        tenant.mode,
        entry.entry_id,
        entry.kind,
        entry.payment_id,
        entry.reference,
        entry.turn,
        entry.created_at,
        entry.currency,
        entry.settlement_currency,
        entry.amount("processor_receivable", entry.currency),
        0 if one_currency else entry.amount("conversion_clearing", entry.currency),
        0 if one_currency else entry.amount("conversion_clearing", entry.settlement_currency),
        entry.amount("merchant_payable", entry.settlement_currency),
        entry.amount("tax_payable", entry.settlement_currency),
        entry.amount("fee_income", entry.settlement_currency),
    )


async def entries_of(read: Read, tenant: Tenant, payment_id: str) -> list[Entry]:
    """Return the entries about a payment, its refunds and its disputes, the oldest first."""
    rows = await read.fetch(_OF_PAYMENT, tenant.business_id, tenant.mode, payment_id)
    return [_entry(row) for row in rows]


_ACCOUNT_COLUMNS: Final[tuple[tuple[str, Account, str], ...]] = (
    ("processor_receivable", "processor_receivable", "currency"),
    ("charge_clearing", "conversion_clearing", "currency"),
    ("settlement_clearing", "conversion_clearing", "settlement_currency"),
    ("merchant_payable", "merchant_payable", "settlement_currency"),
    ("tax_payable", "tax_payable", "settlement_currency"),
    ("fee_income", "fee_income", "settlement_currency"),
)
"""Which column holds which account, and which column holds its currency."""


def _entry(row: Record) -> Entry:
    postings = [
        Posting(account, row[currency], row[column]) for column, account, currency in _ACCOUNT_COLUMNS if row[column]
    ]
    return Entry(
        entry_id=row["entry_id"],
        kind=row["kind"],
        payment_id=row["payment_id"],
        reference=row["reference"],
        turn=row["turn"],
        created_at=row["created_at"],
        currency=row["currency"],
        settlement_currency=row["settlement_currency"],
        postings=tuple(postings),
    )
