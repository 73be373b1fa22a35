"""Exchange rates that feeds have brought: each snapshot holds all of them, and the newest one is in force."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.money.rate_feed import QuotedRate
from nicobar.storage.database import Read, Tx

_LOCK_KEY: Final = 0x6E69636F72617465
"""Key of the advisory lock around taking a feed: the letters "nicorate" as a number."""

_INSERT: Final = "INSERT INTO rate_snapshots (quotes, origin, stored_at) VALUES ($1, $2, $3)"

_NEWEST: Final = "SELECT quotes, origin, stored_at FROM rate_snapshots ORDER BY number DESC LIMIT 1"

# Snapshots that many moments share are sent once: the number tells them apart.
_NUMBERS_AT: Final = """
SELECT moment, (
    SELECT number FROM rate_snapshots WHERE stored_at <= moment ORDER BY stored_at DESC, number DESC LIMIT 1) AS number
FROM unnest($1::timestamptz[]) AS moment
"""

_NUMBERED: Final = "SELECT number, quotes FROM rate_snapshots WHERE number = ANY($1::bigint[])"


class StoredRates(msgspec.Struct, frozen=True):
    """A snapshot as it was stored."""

    quotes: Mapping[str, QuotedRate]
    """Every rate that feeds have brought so far, by currency."""
    origin: str
    """The feed that brought the newest of them."""
    stored_at: datetime


async def lock_rates(tx: Tx) -> None:
    """Lock feeds against other takers until the transaction ends."""
    await tx.execute("SELECT pg_advisory_xact_lock($1)", _LOCK_KEY)


async def insert_rates(tx: Tx, quotes: Mapping[str, QuotedRate], origin: str, moment: datetime) -> None:
    """Store a snapshot, which is in force from now on."""
    await tx.execute(_INSERT, quotes, origin, moment)


async def newest_rates(read: Read) -> StoredRates | None:
    """Return the snapshot in force; None when only the shipped rates are known."""
    row = await read.fetchrow(_NEWEST)
    return None if row is None else msgspec.convert(row, StoredRates)


async def quotes_at(read: Read, moments: Sequence[datetime]) -> dict[datetime, Mapping[str, QuotedRate]]:
    """Return for each moment what feeds had brought by then; moments of one snapshot share one object."""
    rows = await read.fetch(_NUMBERS_AT, moments)
    stored = await read.fetch(_NUMBERED, list({row["number"] for row in rows}))
    quotes = {row["number"]: msgspec.convert(row["quotes"], dict[str, QuotedRate]) for row in stored}
    nothing: Mapping[str, QuotedRate] = {}
    return {row["moment"]: quotes.get(row["number"], nothing) for row in rows}
