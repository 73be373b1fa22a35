"""How much of a second or minute's requests the processes have taken, on the database's clock."""

from datetime import datetime
from typing import Final, NamedTuple

from nicobar.storage.database import Tx

# The clock is read before the row is locked: who waited across the end of a window adds to the new one.
_TAKE: Final = """
INSERT INTO request_shares AS s (subject, seconds, starts_at, taken)
VALUES ($1, $2::integer, to_timestamp(floor(extract(epoch FROM clock_timestamp()) / $2::integer) * $2::integer), $3)
ON CONFLICT (subject, seconds) DO UPDATE SET
    taken = excluded.taken + CASE WHEN excluded.starts_at > s.starts_at THEN 0 ELSE s.taken END,
    starts_at = greatest(excluded.starts_at, s.starts_at)
RETURNING starts_at, taken, clock_timestamp() AS now
"""

_PURGE: Final = "DELETE FROM request_shares WHERE starts_at < clock_timestamp() - interval '5 minutes'"


class TakenShare(NamedTuple):
    """What a window has given away when a share was taken of it."""

    starts_at: datetime
    taken: int
    """All shares, this one included; it may be more than the limit, and then the share is smaller."""
    now: datetime
    """The database's time."""


async def take_share(tx: Tx, subject: str, seconds: int, amount: int) -> TakenShare:
    """Take so many requests out of the window of so many seconds that is running now."""
    row = await tx.fetchrow(_TAKE, subject, seconds, amount)
    assert row is not None  # noqa: S101 - it returns what it wrote
    return TakenShare(row["starts_at"], row["taken"], row["now"])


async def purge_shares(tx: Tx) -> None:
    """Clear away windows that ended long ago."""
    await tx.execute(_PURGE)
