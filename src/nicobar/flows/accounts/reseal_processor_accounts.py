"""Encrypt the secrets of every account with the newest key, so that older keys are not needed any more.

The keys of customers' proofs, which are valid for minutes, are replaced. Answers that are kept for requests with an
idempotency key stay as they are.
"""

from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.accounts.processor_accounts import all_accounts, reseal_account
from nicobar.storage.customers.proof_keys import purge_proof_keys


async def reseal_processor_accounts(runtime: Runtime) -> int:
    """Re-encrypt all secrets and return how many accounts there are. Raises VaultError, and changes nothing then."""
    assert runtime.accounts is not None  # noqa: S101 - only some tests go without
    async with runtime.database.transaction() as tx:
        accounts = await all_accounts(tx)
        for account in accounts:
            await reseal_account(tx, account, runtime.accounts.reseal(account))
            await write_audit_entry(runtime, tx, account.tenant, "processor.reencrypt", [account.processor], ["sealed"])
        await purge_proof_keys(tx)
    return len(accounts)
