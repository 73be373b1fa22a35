"""Accounts of businesses at payment processors."""

from datetime import datetime
from typing import Final

import msgspec

from nicobar.core.accounts.processor_account import ProcessorAccount
from nicobar.core.business.tenant import Tenant
from nicobar.storage.database import Read, Tx

_COLUMNS: Final = (
    "business_id, mode, processor, account, account_id, number, publishable_key, api_base, sealed, changed_at, "
    "retired_at"
)

_ORDER: Final = "processor, retired_at DESC NULLS FIRST, account"

_OF_TENANT: Final = f"""
SELECT {_COLUMNS} FROM processor_accounts WHERE business_id = $1 AND mode = $2 ORDER BY {_ORDER}
"""

_ALL: Final = f"""
SELECT {_COLUMNS} FROM processor_accounts WHERE sealed IS NOT NULL ORDER BY business_id, mode, {_ORDER} LIMIT 10000
"""

_SET: Final = """
INSERT INTO processor_accounts
    (business_id, mode, processor, account, account_id, publishable_key, api_base, sealed, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (business_id, mode, processor, account) DO UPDATE SET number = nextval('processor_account_numbers'),
    account_id = EXCLUDED.account_id, publishable_key = EXCLUDED.publishable_key, api_base = EXCLUDED.api_base,
    sealed = EXCLUDED.sealed, changed_at = EXCLUDED.changed_at, retired_at = NULL
"""

_RETIRE: Final = """
UPDATE processor_accounts SET number = nextval('processor_account_numbers'), retired_at = coalesce(retired_at, $5),
    account_id = $6, sealed = CASE WHEN $7 THEN sealed END
WHERE business_id = $1 AND mode = $2 AND processor = $3 AND account = $4
"""

# Those who begin something with an account do not wait for each other. Its removal (`_CLOSE`) waits until they have
# committed, which they do before they ask the processor.
_HOLD: Final = """
SELECT true FROM processor_accounts
WHERE business_id = $1 AND mode = $2 AND processor = $3 AND account = $4 AND sealed IS NOT NULL FOR KEY SHARE
"""

_CLOSE: Final = """
SELECT true FROM processor_accounts
WHERE business_id = $1 AND mode = $2 AND processor = $3 AND account = $4 FOR UPDATE
"""

_RESEAL: Final = """
UPDATE processor_accounts SET sealed = $5, number = nextval('processor_account_numbers')
WHERE business_id = $1 AND mode = $2 AND processor = $3 AND number = $4
"""


async def list_accounts(read: Read, tenant: Tenant) -> tuple[ProcessorAccount, ...]:
    """Return the accounts of a tenant whose keys are there: of each processor the one that charges first."""
    return tuple(account for account in await known_accounts(read, tenant) if account.sealed is not None)


async def known_accounts(read: Read, tenant: Tenant) -> list[ProcessorAccount]:
    """Return every account that a tenant ever had, those that were removed too; in the same order."""
    rows = await read.fetch(_OF_TENANT, tenant.business_id, tenant.mode)
    return [msgspec.convert(dict(row), ProcessorAccount) for row in rows]


async def all_accounts(read: Read) -> list[ProcessorAccount]:
    """Return every account of the installation whose keys are there."""
    return [msgspec.convert(dict(row), ProcessorAccount) for row in await read.fetch(_ALL)]


async def set_account(
    tx: Tx,
    tenant: Tenant,
    processor: str,
    account: str,
    account_id: str | None,
    publishable_key: str,
    api_base: str | None,
    sealed: bytes,
    at: datetime,
) -> None:
    """Store an account that charges from now on, or new keys of it. Another one that charges is retired before."""
    given = (processor, account, account_id, publishable_key, api_base, sealed, at)
    await tx.execute(_SET, tenant.business_id, tenant.mode, *given)


async def retire_account(
    tx: Tx, account: ProcessorAccount, account_id: str | None, at: datetime, *, keep_keys: bool
) -> None:
    """Take no new payments through an account, and forget its keys unless they are kept for what it has charged."""
    given = (account.processor, account.account, at, account_id, keep_keys)
    await tx.execute(_RETIRE, account.business_id, account.mode, *given)


async def hold_account(tx: Tx, tenant: Tenant, processor: str, account: str) -> bool:
    """Keep the keys of an account until the transaction ends; return False when they are not there any more."""
    return await tx.fetchval(_HOLD, tenant.business_id, tenant.mode, processor, account) is not None


async def close_account(tx: Tx, account: ProcessorAccount) -> None:
    """Wait for those who hold an account, and let nobody begin anything with it until the transaction ends."""
    await tx.fetchval(_CLOSE, account.business_id, account.mode, account.processor, account.account)


async def reseal_account(tx: Tx, account: ProcessorAccount, sealed: bytes) -> None:
    """Replace the encrypted secrets of an account, unless it was changed since it was read."""
    await tx.execute(_RESEAL, account.business_id, account.mode, account.processor, account.number, sealed)
