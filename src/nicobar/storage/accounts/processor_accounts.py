"""Accounts of businesses at payment processors."""

from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.accounts.processor_account import ProcessorAccount
from nicobar.core.business.tenant import Tenant
from nicobar.storage.database import Read, Tx

_COLUMNS: Final = "business_id, mode, processor, number, publishable_key, api_base, sealed, changed_at"

_LIST: Final = f"""
SELECT {_COLUMNS} FROM processor_accounts WHERE business_id = $1 AND mode = $2 ORDER BY processor
"""

_ALL: Final = f"SELECT {_COLUMNS} FROM processor_accounts ORDER BY business_id, mode, processor LIMIT 10000"

_SET: Final = """
INSERT INTO processor_accounts (business_id, mode, processor, publishable_key, api_base, sealed, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (business_id, mode, processor) DO UPDATE SET number = nextval('processor_account_numbers'),
    publishable_key = EXCLUDED.publishable_key, api_base = EXCLUDED.api_base, sealed = EXCLUDED.sealed,
    changed_at = EXCLUDED.changed_at
"""

_RESEAL: Final = """
UPDATE processor_accounts SET sealed = $5, number = nextval('processor_account_numbers')
WHERE business_id = $1 AND mode = $2 AND processor = $3 AND number = $4
"""

_DELETE: Final = """
DELETE FROM processor_accounts WHERE business_id = $1 AND mode = $2 AND processor = $3 RETURNING true
"""

_UNDER_WAY: Final = """
SELECT count(*) FROM attempts WHERE business_id = $1 AND mode = $2 AND processor = $3 AND resolved_at IS NULL
"""


async def list_accounts(read: Read, tenant: Tenant) -> tuple[ProcessorAccount, ...]:
    """Return the accounts of a tenant; there are a few at most."""
    rows = await read.fetch(_LIST, tenant.business_id, tenant.mode)
    return tuple(msgspec.convert(dict(row), ProcessorAccount) for row in rows)


async def all_accounts(read: Read) -> list[ProcessorAccount]:
    """Return every account of the installation."""
    return [msgspec.convert(dict(row), ProcessorAccount) for row in await read.fetch(_ALL)]


async def set_account(
    tx: Tx, tenant: Tenant, processor: str, publishable_key: str, api_base: str | None, sealed: bytes, at: datetime
) -> None:
    """Store an account in place of the one that there may have been."""
    await tx.execute(_SET, tenant.business_id, tenant.mode, processor, publishable_key, api_base, sealed, at)


async def reseal_account(tx: Tx, account: ProcessorAccount, sealed: bytes) -> None:
    """Replace the encrypted secrets of an account, unless it was changed since it was read."""
    await tx.execute(_RESEAL, account.business_id, account.mode, account.processor, account.number, sealed)


async def delete_account(tx: Tx, tenant: Tenant, processor: str) -> bool:
    """Remove an account; False when there is none."""
    return await tx.fetchval(_DELETE, tenant.business_id, tenant.mode, processor) is not None


async def attempts_under_way(read: Read, tenant: Tenant, processor: str) -> int:
    """Return how many attempts at a processor have not ended."""
    return int(await read.fetchval(_UNDER_WAY, tenant.business_id, tenant.mode, processor))
