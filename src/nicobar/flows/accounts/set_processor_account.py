"""Give a business an account at Stripe, or new keys of the one that it has. Another one that charged is retired."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from nicobar.core.accounts.processor_account import ProcessorAccount, find_same
from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.accounts.identify_accounts import identify_accounts
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.processors.stripe.stripe_account import API_BASE, NAME, StripeAccount, check_account
from nicobar.storage.accounts.processor_accounts import known_accounts, retire_account, set_account
from nicobar.storage.business.settings import lock_business
from nicobar.storage.database import Tx
from nicobar.vault import VaultError


async def set_processor_account(
    runtime: Runtime, tenant: Tenant, account: StripeAccount, *, check: bool
) -> ProcessorAccount | None:
    """Store the keys, the secret ones encrypted; `check` asks Stripe first whether it takes them, and whose they are.

    They are in force for new payments of every running server within the bound that `load_policy` states. Returns the
    account that charged until now when the keys are of another one: it is still queried for what it has charged,
    unless it is returned without its keys, which could not be decrypted here and are forgotten.

    Raises Problem INVALID_REQUEST_PARAMETERS for keys that are none, are of the other mode or that Stripe does not
    take, NOT_FOUND for an unknown business, and VaultError when secrets cannot be encrypted; nothing is changed then.
    """
    accounts = runtime.accounts
    assert accounts is not None  # noqa: S101 - only some tests go without
    account_id = None
    try:
        check_account(account, tenant.mode)
        if check:
            account_id = await accounts.connect(tenant, account).check_keys()
    except ValueError as error:
        raise Problem("INVALID_REQUEST_PARAMETERS", detail=str(error)) from error
    identified = await identify_accounts(runtime, tenant, NAME) if check else {}
    api_base = None if account.api_base == API_BASE else account.api_base
    async with runtime.database.transaction() as tx:
        if not await lock_business(tx, tenant.business_id):
            raise Problem("NOT_FOUND", what="Business")
        stored = [
            msgspec.structs.replace(each, account_id=each.account_id or identified.get(each.number))
            for each in await known_accounts(tx, tenant)
            if each.processor == NAME
        ]
        same, at = find_same(stored, account_id, account.publishable_key), runtime.real_now()
        retired = await _retire_others(runtime, tx, stored, same, at)
        if same is not None:
            name, account_id = same.account, account_id or same.account_id
        else:
            name = account_id or account.publishable_key
        sealed = accounts.seal(tenant, NAME, name, account, api_base)
        await set_account(tx, tenant, NAME, name, account_id, account.publishable_key, api_base, sealed, at)
        await write_audit_entry(runtime, tx, tenant, "processor.set", [NAME], ["keys"])
    return retired


async def _retire_others(
    runtime: Runtime, tx: Tx, stored: Sequence[ProcessorAccount], same: ProcessorAccount | None, at: datetime
) -> ProcessorAccount | None:
    """Retire the account that charges unless it is `same`; keys that cannot be decrypted here are forgotten."""
    charging = next((each for each in stored if each.retired_at is None), None)
    if charging is None or charging is same or runtime.accounts is None:
        return None
    try:
        runtime.accounts.open(charging)
        readable = True
    except VaultError:
        readable = False
    await retire_account(tx, charging, charging.account_id, at, keep_keys=readable)
    await write_audit_entry(runtime, tx, charging.tenant, "processor.retire", [NAME], [])
    return charging if readable else msgspec.structs.replace(charging, sealed=None)
