"""Disputes, as processors opened and moved them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.disputes.dispute import Dispute, DisputeStage, DisputeStatus, dispute_origins, earlier_stages
from nicobar.storage.database import Read, Record, Tx
from nicobar.storage.listing import Condition, CreatedBetween, equal, fetch_page

_COLUMNS: Final = (
    "d.business_id, d.mode, d.dispute_id, d.payment_id, d.attempt_id, d.processor, d.reference, d.amount, d.currency, "
    "d.stage, d.status, d.reason, d.created_at, d.updated_at"
)

_INSERT: Final = """
INSERT INTO disputes (business_id, mode, dispute_id, payment_id, attempt_id, processor, reference, amount, currency,
                      stage, status, money_out, reason, created_at, updated_at, asked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""

# Within a stage the status moves along the table; a later stage begins with whatever status it has. An older answer
# finds no row.
_MOVE: Final = f"""
UPDATE disputes d SET stage = $4, status = $5, money_out = $6, updated_at = $7, asked_at = $8
WHERE d.business_id = $1 AND d.mode = $2 AND d.dispute_id = $3 AND d.asked_at <= $8
  AND (d.stage = $4 AND d.status = ANY($9::text[]) OR d.stage = ANY($10::text[]))
RETURNING {_COLUMNS}
"""

_GET: Final = f"SELECT {_COLUMNS} FROM disputes d WHERE d.business_id = $1 AND d.mode = $2 AND d.dispute_id = $3"

_FIND: Final = (
    f"SELECT {_COLUMNS} FROM disputes d"
    " WHERE d.business_id = $1 AND d.mode = $2 AND d.processor = $3 AND d.reference = $4"
)

DISPUTES_OF_PAYMENT: Final = (
    f"SELECT {_COLUMNS} FROM disputes d"
    " WHERE d.business_id = $1 AND d.mode = $2 AND d.payment_id = $3 ORDER BY d.dispute_id"
)

# Payment by payment: without statistics PostgreSQL would read all disputes of a seller for a list of payments.
_LATEST: Final = """
SELECT page.payment_id, d.status FROM json_array_elements_text($3) AS page (payment_id) CROSS JOIN LATERAL (
    SELECT status FROM disputes WHERE business_id = $1 AND mode = $2 AND payment_id = page.payment_id
    ORDER BY dispute_id DESC LIMIT 1
) d
"""


_KEY: Final = "d.dispute_id"


class DisputeFilters(CreatedBetween, frozen=True, kw_only=True):
    """What a list of disputes is narrowed to; None means no filter."""

    status: DisputeStatus | None = None
    stage: DisputeStage | None = None
    customer_id: str | None = None

    def conditions(self) -> list[Condition]:
        """Return the filters in SQL."""
        found = self.dates(_KEY, "dp") + equal({"d.status": self.status, "d.stage": self.stage})
        if self.customer_id is not None:
            theirs = "SELECT p.payment_id FROM payments p WHERE p.business_id = $1 AND p.mode = $2"
            found.append((f"d.payment_id IN ({theirs} AND p.customer_id = {{}})", self.customer_id))
        return found


async def insert_dispute(tx: Tx, dispute: Dispute, asked_at: datetime) -> None:
    """Store a dispute that the processor reported for the first time.

    Raises UniqueViolation `disputes_reference` at the end of the block when this processor's dispute is there already.
    """
    await tx.execute(
        _INSERT,
        dispute.business_id,
        dispute.mode,
        dispute.dispute_id,
        dispute.payment_id,
        dispute.attempt_id,
        dispute.processor,
        dispute.reference,
        dispute.amount,
        dispute.currency,
        dispute.stage,
        dispute.status,
        dispute.money_out,
        dispute.reason,
        dispute.created_at,
        dispute.updated_at,
        asked_at,
    )


async def move_dispute(tx: Tx, moved: Dispute, asked_at: datetime) -> Dispute | None:
    """Bring a dispute to the stage and status of `moved`, and return it as it is then.

    None, and no change, when it is there already, when the transition table refuses the move, and when the processor
    was asked for the facts before it was asked for what is stored. The caller holds the payment's row and has read the
    dispute under that lock.
    """
    row = await tx.fetchrow(
        _MOVE,
        moved.business_id,
        moved.mode,
        moved.dispute_id,
        moved.stage,
        moved.status,
        moved.money_out,
        moved.updated_at,
        asked_at,
        dispute_origins(moved.status),
        earlier_stages(moved.stage),
    )
    return None if row is None else _dispute(row)


async def get_dispute(read: Read, tenant: Tenant, dispute_id: str) -> Dispute | None:
    """Return one dispute."""
    row = await read.fetchrow(_GET, tenant.business_id, tenant.mode, dispute_id)
    return None if row is None else _dispute(row)


async def find_dispute(read: Read, tenant: Tenant, processor: str, reference: str) -> Dispute | None:
    """Return a dispute by the processor's own id of it."""
    row = await read.fetchrow(_FIND, tenant.business_id, tenant.mode, processor, reference)
    return None if row is None else _dispute(row)


async def disputes_of(read: Read, tenant: Tenant, payment_id: str) -> list[Dispute]:
    """Return a payment's disputes, the oldest first."""
    rows = await read.fetch(DISPUTES_OF_PAYMENT, tenant.business_id, tenant.mode, payment_id)
    return [_dispute(row) for row in rows]


async def latest_statuses(read: Read, tenant: Tenant, payment_ids: Sequence[str]) -> dict[str, DisputeStatus]:
    """Return the status of the newest dispute of each payment that has one."""
    rows = await read.fetch(_LATEST, tenant.business_id, tenant.mode, payment_ids)
    return {row["payment_id"]: row["status"] for row in rows}


async def list_disputes(
    read: Read, tenant: Tenant, filters: DisputeFilters, limit: int, offset: int
) -> Sequence[Dispute]:
    """Return a page of disputes, newest first."""
    rows = await fetch_page(read, f"{_COLUMNS} FROM disputes d", _KEY, tenant, filters.conditions(), limit, offset)
    return [_dispute(row) for row in rows]


def _dispute(row: Record) -> Dispute:
    return msgspec.convert(dict(row), Dispute)
