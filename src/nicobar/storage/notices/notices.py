"""The inbox: what processors sent us unasked, each notice once."""

from datetime import datetime
from typing import Final, Literal

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.storage.database import Read, Tx

_INSERT: Final = """
INSERT INTO notices (business_id, mode, processor, account, notice_id, subject, reference, received_at, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
ON CONFLICT DO NOTHING
RETURNING true
"""

_GET: Final = """
SELECT account, subject, reference, received_at, handled_at FROM notices
WHERE business_id = $1 AND mode = $2 AND processor = $3 AND notice_id = $4
"""

_HANDLED: Final = """
UPDATE notices SET handled_at = $5, due_at = NULL
WHERE business_id = $1 AND mode = $2 AND processor = $3 AND notice_id = $4 AND handled_at IS NULL
"""


class StoredNotice(msgspec.Struct, frozen=True):
    """A notice in the inbox."""

    account: str
    """The account of the processor that sent it."""
    subject: Literal["attempt", "refund", "dispute"]
    reference: str
    received_at: datetime
    handled_at: datetime | None


async def insert_notice(
    tx: Tx,
    tenant: Tenant,
    processor: str,
    notice_id: str,
    subject: str,
    reference: str,
    at: datetime,
    account: str,
) -> bool:
    """Store a notice, which is due to be handled at once; False, and no change, when it came before."""
    given = (tenant.business_id, tenant.mode, processor, account, notice_id, subject, reference, at)
    return await tx.fetchval(_INSERT, *given) is not None


async def get_notice(read: Read, tenant: Tenant, processor: str, notice_id: str) -> StoredNotice | None:
    """Return one notice."""
    row = await read.fetchrow(_GET, tenant.business_id, tenant.mode, processor, notice_id)
    return None if row is None else msgspec.convert(dict(row), StoredNotice)


async def mark_handled(tx: Tx, tenant: Tenant, processor: str, notice_id: str, at: datetime) -> None:
    """Note that what the notice is about was asked for and recorded."""
    await tx.execute(_HANDLED, tenant.business_id, tenant.mode, processor, notice_id, at)
