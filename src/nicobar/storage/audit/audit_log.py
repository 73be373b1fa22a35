"""The audit log: entries and the links that chain them. Both tables take new rows and nothing else."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.audit.entry import AuditEntry, Link
from nicobar.storage.database import Read, Record, Tx

_COLUMNS: Final = "entry_id, business_id, mode, at, actor, actor_name, address, action, object_ids, fields"

_INSERT: Final = f"""
WITH entered AS (
    INSERT INTO audit_log ({_COLUMNS}, seal) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING entry_id
)
INSERT INTO audit_unlinked SELECT entry_id FROM entered
"""

_LIST: Final = f"""
SELECT {_COLUMNS} FROM audit_log
WHERE ($1::text IS NULL OR action LIKE $1) AND ($2::text IS NULL OR $2 = ANY (object_ids) OR actor_name = $2)
    AND ($3::timestamptz IS NULL OR at >= $3)
ORDER BY entry_id DESC LIMIT $4
"""

_UNLINKED: Final = f"""
SELECT {_COLUMNS} FROM audit_log WHERE entry_id IN (SELECT entry_id FROM audit_unlinked ORDER BY entry_id LIMIT $1)
ORDER BY entry_id
"""

_WHOLE: Final = f"""
SELECT {_COLUMNS}, seal, k.number, k.tag, l.action IS NOT NULL AS is_there,
    EXISTS (SELECT FROM audit_unlinked u WHERE u.entry_id = l.entry_id) AS waits
FROM audit_log l FULL JOIN audit_links k USING (entry_id)
ORDER BY k.number NULLS LAST, entry_id
"""

_LOCK: Final = 0x6E69636F61756474
"""Key of the advisory lock under which links are made: the letters "nicoaudt" as a number."""


class StoredEntry(msgspec.Struct, frozen=True):
    """What the two tables have of one entry."""

    entry_id: str
    entry: AuditEntry | None
    """None when there is a link and no entry."""
    seal: bytes | None
    """None when it was written without a key."""
    link: Link | None
    waits: bool
    """Whether it waits to be linked."""


async def insert_audit_entry(tx: Tx, entry: AuditEntry, seal: bytes | None) -> None:
    """Add an entry, to be linked later."""
    await tx.execute(_INSERT, *msgspec.structs.astuple(entry), seal)


async def list_audit_entries(
    read: Read, *, action: str | None, about: str | None, since: datetime | None, limit: int
) -> list[AuditEntry]:
    """Return the newest entries, the newest first.

    `action` is the beginning of their action, `about` the id of an object or of who did it.
    """
    pattern = None if action is None else action.replace("\\", "").replace("%", "").replace("_", r"\_") + "%"
    return [_entry(row) for row in await read.fetch(_LIST, pattern, about, since, limit)]


async def any_unlinked(read: Read) -> bool:
    """Return whether entries wait to be linked."""
    return bool(await read.fetchval("SELECT EXISTS (SELECT FROM audit_unlinked)"))


async def lock_chain(tx: Tx) -> Link | None:
    """Lock the chain against other links until the transaction ends; return the last one, or None."""
    await tx.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    row = await tx.fetchrow("SELECT number, entry_id, tag FROM audit_links ORDER BY number DESC LIMIT 1")
    return None if row is None else Link(row["number"], row["entry_id"], row["tag"])


async def has_link(read: Read, number: int, tag: bytes) -> bool:
    """Return whether the chain has this link."""
    found = await read.fetchval("SELECT true FROM audit_links WHERE number = $1 AND tag = $2", number, tag)
    return found is not None


async def unlinked_entries(tx: Tx, limit: int) -> list[AuditEntry]:
    """Return entries that wait to be linked, the oldest first."""
    return [_entry(row) for row in await tx.fetch(_UNLINKED, limit)]


async def insert_links(tx: Tx, links: Sequence[Link]) -> None:
    """Add links; their entries wait no more."""
    ids = [link.entry_id for link in links]
    await tx.execute(
        "INSERT INTO audit_links (number, entry_id, tag) SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[])",
        [link.number for link in links],
        ids,
        [link.tag for link in links],
    )
    await tx.execute("DELETE FROM audit_unlinked WHERE entry_id = ANY ($1)", ids)


async def whole_audit_log(read: Read) -> list[StoredEntry]:
    """Return everything, in the order of the chain, then what is in no chain."""
    return [
        StoredEntry(
            row["entry_id"],
            _entry(row) if row["is_there"] else None,
            row["seal"],
            None if row["number"] is None else Link(row["number"], row["entry_id"], row["tag"]),
            row["waits"],
        )
        for row in await read.fetch(_WHOLE)
    ]


def _entry(row: Record) -> AuditEntry:
    return AuditEntry(**{name: row[name] for name in AuditEntry.__struct_fields__})
