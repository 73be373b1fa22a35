"""A business's settings: every change is a row, and the newest one of a name holds."""

from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.business.business_settings import SettingChange
from nicobar.core.business.tenant import Tenant
from nicobar.storage.database import Read, Tx

_LOCK: Final = "SELECT true FROM businesses WHERE business_id = $1 FOR NO KEY UPDATE"

_TEXTS: Final = """
SELECT DISTINCT ON (name) name, new_value FROM setting_changes WHERE business_id = $1 AND mode = $2
ORDER BY name, number DESC
"""

_INSERT: Final = """
INSERT INTO setting_changes (business_id, mode, name, number, old_value, new_value, changed_at)
SELECT $1, $2, $3, 1 + count(*), $4, $5, $6 FROM setting_changes WHERE business_id = $1 AND mode = $2 AND name = $3
"""

_CHANGES: Final = """
SELECT changed_at, name, old_value, new_value FROM setting_changes WHERE business_id = $1 AND mode = $2
ORDER BY changed_at, name, number
"""


class PastChange(msgspec.Struct, frozen=True):
    """A change with its time."""

    changed_at: datetime
    name: str
    old_value: str
    new_value: str


async def lock_business(tx: Tx, business_id: str) -> bool:
    """Lock the business against other decisions until the transaction ends; return False when it does not exist."""
    return await tx.fetchval(_LOCK, business_id) is not None


async def setting_texts(read: Read, tenant: Tenant) -> dict[str, str]:
    """Return the texts of the settings that were ever changed, by name."""
    rows = await read.fetch(_TEXTS, tenant.business_id, tenant.mode)
    return {row["name"]: row["new_value"] for row in rows}


async def insert_setting_change(tx: Tx, tenant: Tenant, change: SettingChange, moment: datetime) -> None:
    """Keep a change. The business is locked by `lock_business`."""
    await tx.execute(_INSERT, tenant.business_id, tenant.mode, change.name, change.old, change.new, moment)


async def setting_changes(read: Read, tenant: Tenant) -> list[PastChange]:
    """Return every change, the oldest first."""
    rows = await read.fetch(_CHANGES, tenant.business_id, tenant.mode)
    return [msgspec.convert(row, PastChange) for row in rows]
