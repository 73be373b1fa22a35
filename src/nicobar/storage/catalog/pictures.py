"""Pictures of products and brands: uploads that are awaited, and what became of them.

A picture has two sizes and never changes under its id. Rows that nothing shows expire and are deleted.
"""

from datetime import datetime
from typing import Final, Literal

import msgspec

from nicobar.core.business.tenant import Mode, Tenant
from nicobar.core.catalog.picture import Picture
from nicobar.storage.database import Read, Tx

_INSERT: Final = """
INSERT INTO pictures (business_id, mode, image_id, ticket_hash, product_id, brand_id, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

# The address of an upload names no tenant: its random id finds the row alone.
_AWAITED: Final = """
SELECT business_id, mode, image_id, product_id, brand_id FROM pictures
WHERE image_id = $1 AND ticket_hash = $2 AND expires_at > $3
"""

_PICTURE: Final = "business_id = $1 AND mode = $2 AND image_id = $3"

_STORE: Final = f"""
UPDATE pictures SET ticket_hash = NULL, whole = $6, small = $7, expires_at = $8
WHERE {_PICTURE} AND ticket_hash = $4 AND expires_at > $5 RETURNING true
"""

_KEEP: Final = f"UPDATE pictures SET expires_at = NULL WHERE {_PICTURE} AND whole IS NOT NULL RETURNING true"
_RELEASE: Final = f"UPDATE pictures SET expires_at = $4 WHERE {_PICTURE}"

_GET: Final = {
    "whole": "SELECT whole FROM pictures WHERE image_id = $1",
    "small": "SELECT small FROM pictures WHERE image_id = $1",
}

# A picture may be shown in several places, so one of them letting go says nothing of the others. Whoever begins to show
# one writes its row, so that this statement looks at it again and leaves it.
_PURGE: Final = """
WITH expired AS MATERIALIZED (
    SELECT business_id, mode, image_id FROM pictures p
    WHERE expires_at <= $1
      AND NOT EXISTS (
        SELECT FROM products WHERE (business_id, mode, image_id) = (p.business_id, p.mode, p.image_id))
      AND NOT EXISTS (
        SELECT FROM brands WHERE (business_id, mode, image_id) = (p.business_id, p.mode, p.image_id))
      AND NOT EXISTS (
        SELECT FROM addons WHERE (business_id, mode, image_id) = (p.business_id, p.mode, p.image_id))
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM pictures p USING expired e
WHERE (p.business_id, p.mode, p.image_id) = (e.business_id, e.mode, e.image_id)
"""


class Awaited(msgspec.Struct, frozen=True):
    """An upload that may come."""

    business_id: str
    mode: Mode
    image_id: str
    product_id: str | None
    """The product that shows the picture as soon as it is there."""
    brand_id: str | None
    """The brand that does."""

    @property
    def tenant(self) -> Tenant:
        """Whose picture it will be."""
        return Tenant(self.business_id, self.mode)


async def insert_awaited(tx: Tx, awaited: Awaited, ticket_hash: bytes, at: datetime, expires_at: datetime) -> None:
    """Await an upload, from whoever has the ticket and until it expires."""
    await tx.execute(
        _INSERT,
        awaited.business_id,
        awaited.mode,
        awaited.image_id,
        ticket_hash,
        awaited.product_id,
        awaited.brand_id,
        at,
        expires_at,
    )


async def find_awaited(read: Read, image_id: str, ticket_hash: bytes, at: datetime) -> Awaited | None:
    """Return the upload that this ticket admits at this moment, if any."""
    row = await read.fetchrow(_AWAITED, image_id, ticket_hash, at)
    return None if row is None else msgspec.convert(row, Awaited)


async def store_picture(
    tx: Tx, awaited: Awaited, ticket_hash: bytes, picture: Picture, at: datetime, expires_at: datetime
) -> bool:
    """Store what was uploaded and use the ticket up; False when it is not valid any more.

    Unless something shows the picture until then, it is forgotten at `expires_at`.
    """
    done = await tx.fetchval(
        _STORE,
        awaited.business_id,
        awaited.mode,
        awaited.image_id,
        ticket_hash,
        at,
        picture.whole,
        picture.small,
        expires_at,
    )
    return done is not None


async def keep_picture(tx: Tx, tenant: Tenant, image_id: str) -> bool:
    """Keep a picture that something begins to show; False when the tenant has no such picture."""
    return await tx.fetchval(_KEEP, tenant.business_id, tenant.mode, image_id) is not None


async def release_picture(tx: Tx, tenant: Tenant, image_id: str, expires_at: datetime) -> None:
    """Let a picture expire that one place does not show any more; it stays while another one shows it."""
    await tx.execute(_RELEASE, tenant.business_id, tenant.mode, image_id, expires_at)


async def get_picture(read: Read, image_id: str, size: Literal["whole", "small"]) -> bytes | None:
    """Return a picture in one of its sizes, None when there is none. Everybody may see it who knows its id."""
    found: bytes | None = await read.fetchval(_GET[size], image_id)
    return found


async def purge_pictures(tx: Tx, at: datetime, limit: int) -> None:
    """Delete at most `limit` expired rows that nothing shows."""
    await tx.execute(_PURGE, at, limit)
