"""Sessions of the customer portal."""

from typing import Final

import msgspec

from nicobar.core.business.business_clock import Reckoning
from nicobar.core.customers.portal_session import PortalSession
from nicobar.storage.database import Read, Tx
from nicobar.storage.test_clocks import reckoned, reckoned_value

_COLUMNS: Final = "business_id, mode, session_id, customer_id, secret_hash, return_url, created_at, expires_at"

_INSERT: Final = f"INSERT INTO portal_sessions ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"

_FIND: Final = f"SELECT {_COLUMNS} FROM portal_sessions WHERE session_id = $1"

_PURGE: Final = """
DELETE FROM portal_sessions WHERE session_id IN (
    SELECT session_id FROM portal_sessions s WHERE expires_at <= $1 AND {reckoned}
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


async def insert_portal_session(tx: Tx, session: PortalSession) -> None:
    """Store a new session; its customer must exist."""
    await tx.execute(
        _INSERT,
        session.business_id,
        session.mode,
        session.session_id,
        session.customer_id,
        session.secret_hash,
        session.return_url,
        session.created_at,
        session.expires_at,
    )


async def find_portal_session(read: Read, session_id: str) -> PortalSession | None:
    """Return the session with this id, of whichever business: what permits anything is its secret."""
    row = await read.fetchrow(_FIND, session_id)
    return None if row is None else msgspec.convert(dict(row), PortalSession)


async def purge_portal_sessions(tx: Tx, reckoning: Reckoning, limit: int) -> int:
    """Delete at most `limit` sessions that have ended, and return how many there were."""
    query = _PURGE.format(reckoned=reckoned(reckoning, "s", 3))
    deleted: str = await tx.execute(query, reckoning.now, limit, reckoned_value(reckoning))
    return int(deleted.rpartition(" ")[2])
