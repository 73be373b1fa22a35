"""API keys: stored as hashes, looked up by hash."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.business.tenant import ApiKey, Mode, Tenant
from nicobar.storage.database import Read, Record, Tx

_INSERT: Final = """
INSERT INTO api_keys (key_id, business_id, mode, key_hash, hint, read_only, created_at, name, scopes, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""

_COLUMNS: Final = (
    "key_id, business_id, mode, hint, read_only, created_at, revoked_at, name, last_used_at, scopes, expires_at"
)

_BY_HASH: Final = f"SELECT {_COLUMNS} FROM api_keys WHERE key_hash = $1"

_LIST: Final = f"SELECT {_COLUMNS} FROM api_keys WHERE business_id = $1 ORDER BY key_id"

_REVOKE: Final = """
UPDATE api_keys SET revoked_at = $3 WHERE business_id = $1 AND key_id = $2 AND revoked_at IS NULL RETURNING key_id
"""

_LOCK: Final = f"SELECT {_COLUMNS} FROM api_keys WHERE business_id = $1 AND key_id = $2 FOR NO KEY UPDATE"

_EXPIRE: Final = "UPDATE api_keys SET expires_at = least(expires_at, $3) WHERE business_id = $1 AND key_id = $2"

# Several servers write about the same key: the later moment stays.
_USED: Final = """
UPDATE api_keys k SET last_used_at = used.at
FROM unnest($1::text[], $2::timestamptz[]) AS used (key_id, at)
WHERE k.key_id = used.key_id AND (k.last_used_at IS NULL OR k.last_used_at < used.at)
"""


class StoredKey(msgspec.Struct, frozen=True):
    """A key with all that is known about it."""

    key: ApiKey
    name: str
    """What its owner calls it; empty for none."""
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    """To the minute; None for never, or before the program kept it."""

    def is_valid(self, moment: datetime) -> bool:
        """Return whether the key still opens something."""
        return self.revoked_at is None and not self.key.has_expired(moment)


async def insert_key(tx: Tx, key: ApiKey, key_hash: bytes, created_at: datetime, name: str = "") -> None:
    """Store a new key by its hash."""
    tenant = key.tenant
    await tx.execute(
        _INSERT,
        key.key_id,
        tenant.business_id,
        tenant.mode,
        key_hash,
        key.hint,
        key.read_only,
        created_at,
        name,
        None if key.scopes is None else sorted(key.scopes),
        key.expires_at,
    )


async def find_stored_key(read: Read, key_hash: bytes) -> StoredKey | None:
    """Return the key with this hash, a revoked one too. The look-up takes the same time for any unknown key."""
    row = await read.fetchrow(_BY_HASH, key_hash)
    return None if row is None else _stored(row)


async def find_key(read: Read, key_hash: bytes, moment: datetime) -> ApiKey | None:
    """Return the key with this hash if it is valid, or None."""
    found = await find_stored_key(read, key_hash)
    return None if found is None or not found.is_valid(moment) else found.key


async def lock_key(tx: Tx, business_id: str, key_id: str) -> StoredKey | None:
    """Return a key, which nobody else can change until the transaction ends; None when there is none with this id."""
    row = await tx.fetchrow(_LOCK, business_id, key_id)
    return None if row is None else _stored(row)


async def expire_key(tx: Tx, business_id: str, key_id: str, moment: datetime) -> None:
    """Let a key end at a moment; one that ends sooner keeps its end."""
    await tx.execute(_EXPIRE, business_id, key_id, moment)


async def list_keys(read: Read, business_id: str) -> list[StoredKey]:
    """Return a business's keys in order of creation, the revoked ones too."""
    return [_stored(row) for row in await read.fetch(_LIST, business_id)]


async def revoke_key(tx: Tx, business_id: str, key_id: str, revoked_at: datetime) -> bool:
    """Revoke a key; False when there is no valid key with this id."""
    return await tx.fetchval(_REVOKE, business_id, key_id, revoked_at) is not None


async def set_key_uses(tx: Tx, uses: Mapping[str, datetime]) -> None:
    """Keep when keys were last used, by key id; a later moment that is stored already stays."""
    await tx.execute(_USED, list(uses), list(uses.values()))


def _stored(row: Record) -> StoredKey:
    mode: Mode = row["mode"]
    scopes = None if row["scopes"] is None else frozenset(row["scopes"])
    tenant = Tenant(row["business_id"], mode)
    key = ApiKey(row["key_id"], tenant, row["hint"], row["read_only"], scopes, row["expires_at"])
    return StoredKey(key, row["name"], row["created_at"], row["revoked_at"], row["last_used_at"])
