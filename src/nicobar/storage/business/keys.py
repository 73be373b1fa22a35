"""API keys: stored as hashes, looked up by hash."""

from datetime import datetime
from typing import Final

from nicobar.core.business.tenant import ApiKey, Mode, Tenant
from nicobar.storage.database import Read, Record, Tx

_INSERT: Final = """
INSERT INTO api_keys (key_id, business_id, mode, key_hash, hint, read_only, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

_BY_HASH: Final = """
SELECT key_id, business_id, mode, hint, read_only FROM api_keys WHERE key_hash = $1 AND revoked_at IS NULL
"""

_LIST: Final = """
SELECT key_id, business_id, mode, hint, read_only, created_at, revoked_at FROM api_keys
WHERE business_id = $1 ORDER BY key_id
"""

_REVOKE: Final = """
UPDATE api_keys SET revoked_at = $3 WHERE business_id = $1 AND key_id = $2 AND revoked_at IS NULL RETURNING key_id
"""


async def insert_key(tx: Tx, key: ApiKey, key_hash: bytes, created_at: datetime) -> None:
    """Store a new key by its hash."""
    tenant = key.tenant
    await tx.execute(
        _INSERT, key.key_id, tenant.business_id, tenant.mode, key_hash, key.hint, key.read_only, created_at
    )


async def find_key(read: Read, key_hash: bytes) -> ApiKey | None:
    """Return the valid key with this hash, or None. The look-up by hash takes the same time for any wrong key."""
    row = await read.fetchrow(_BY_HASH, key_hash)
    return None if row is None else _key(row)


async def list_keys(read: Read, business_id: str) -> list[tuple[ApiKey, datetime, datetime | None]]:
    """Return a business's keys in order of creation, each with its creation and, if any, revocation time."""
    return [(_key(row), row["created_at"], row["revoked_at"]) for row in await read.fetch(_LIST, business_id)]


async def revoke_key(tx: Tx, business_id: str, key_id: str, revoked_at: datetime) -> bool:
    """Revoke a key; False when there is no valid key with this id."""
    return await tx.fetchval(_REVOKE, business_id, key_id, revoked_at) is not None


def _key(row: Record) -> ApiKey:
    mode: Mode = row["mode"]
    return ApiKey(row["key_id"], Tenant(row["business_id"], mode), row["hint"], row["read_only"])
