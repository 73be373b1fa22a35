"""Short links, and whose product a static link sells."""

from collections.abc import Sequence
from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.sessions.short_link import ShortLink
from nicobar.storage.database import Read, Tx
from nicobar.storage.listing import equal, fetch_page

_COLUMNS: Final = "business_id, mode, link_id, slug, product_id, parameters, created_at FROM short_links"

_INSERT: Final = """
INSERT INTO short_links (business_id, mode, link_id, slug, product_id, parameters, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (slug) DO NOTHING RETURNING link_id
"""


async def insert_short_link(tx: Tx, link: ShortLink) -> bool:
    """Store a short link; return False when its name is taken on this server."""
    values = (link.business_id, link.mode, link.link_id, link.slug, link.product_id, link.parameters, link.created_at)
    return await tx.fetchval(_INSERT, *values) is not None


async def find_short_link(read: Read, slug: str) -> ShortLink | None:
    """Return the short link with this name, whoever has made it: it is an address for everybody."""
    row = await read.fetchrow(f"SELECT {_COLUMNS} WHERE slug = $1", slug)
    return None if row is None else msgspec.convert(dict(row), ShortLink)


async def list_short_links(
    read: Read, tenant: Tenant, product_id: str | None, limit: int, offset: int
) -> Sequence[ShortLink]:
    """Return a page of a tenant's short links, the newest first."""
    rows = await fetch_page(read, _COLUMNS, "link_id", tenant, equal({"product_id": product_id}), limit, offset)
    return [msgspec.convert(dict(row), ShortLink) for row in rows]
