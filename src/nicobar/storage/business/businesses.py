"""Businesses: the owners of everything else. A self-hosted server usually has one."""

from datetime import datetime

from nicobar.storage.database import Read, Tx


async def first_business(read: Read) -> str | None:
    """Return the id of the oldest business, or None in a new database."""
    found: str | None = await read.fetchval("SELECT business_id FROM businesses ORDER BY business_id LIMIT 1")
    return found


async def business_exists(read: Read, business_id: str) -> bool:
    """Return whether there is such a business."""
    return await read.fetchval("SELECT true FROM businesses WHERE business_id = $1", business_id) is not None


async def insert_business(tx: Tx, business_id: str, name: str, created_at: datetime) -> None:
    """Store a new business."""
    await tx.execute("INSERT INTO businesses VALUES ($1, $2, $3)", business_id, name, created_at)
