"""Ask a processor whose the keys of stored accounts are, where it was never told."""

from nicobar.core.business.tenant import Tenant
from nicobar.flows.runtime import Runtime
from nicobar.storage.accounts.processor_accounts import list_accounts
from nicobar.vault import VaultError


async def identify_accounts(runtime: Runtime, tenant: Tenant, processor: str) -> dict[int, str]:
    """Return the processor's own ids of the accounts that are stored without one, by number, as far as it tells them.

    So an account that was set before ids were stored, or unchecked, is told apart from another one while its keys work.
    """
    assert runtime.accounts is not None  # noqa: S101 - only some tests go without
    async with runtime.database.read() as read:
        stored = [each for each in await list_accounts(read, tenant) if each.processor == processor]
    identified = {}
    for each in stored:
        if each.account_id is None:
            try:
                account_id = await runtime.accounts.open(each).check_keys()
            except (VaultError, ValueError):
                continue
            if account_id is not None:
                identified[each.number] = account_id
    return identified
