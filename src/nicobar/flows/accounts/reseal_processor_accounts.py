"""Encrypt the secrets of every account with the newest key, so that older keys are not needed any more."""

from nicobar.flows.runtime import Runtime
from nicobar.storage.accounts.processor_accounts import all_accounts, reseal_account


async def reseal_processor_accounts(runtime: Runtime) -> int:
    """Re-encrypt all secrets and return how many accounts there are. Raises VaultError, and changes nothing then."""
    assert runtime.accounts is not None  # noqa: S101 - only some tests go without
    async with runtime.database.transaction() as tx:
        accounts = await all_accounts(tx)
        for account in accounts:
            await reseal_account(tx, account, runtime.accounts.reseal(account))
    return len(accounts)
