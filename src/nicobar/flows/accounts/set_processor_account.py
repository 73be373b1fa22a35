"""Give a business an account at Stripe, in place of the one that it may have there."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.processors.stripe.stripe_account import API_BASE, NAME, StripeAccount, check_account
from nicobar.storage.accounts.processor_accounts import set_account
from nicobar.storage.business.settings import lock_business


async def set_processor_account(runtime: Runtime, tenant: Tenant, account: StripeAccount, *, check: bool) -> None:
    """Store the keys, the secret ones encrypted; `check` asks Stripe first whether it takes them.

    They are in force for new payments of every running server within the bound that `load_policy` states. Raises
    Problem INVALID_REQUEST_PARAMETERS for keys that are none, are of the other mode or that Stripe does not take,
    NOT_FOUND for an unknown business, and VaultError when secrets cannot be encrypted; nothing is changed then.
    """
    assert runtime.accounts is not None  # noqa: S101 - only some tests go without
    try:
        check_account(account, tenant.mode)
        if check:
            await runtime.accounts.connect(tenant, account).check_keys()
    except ValueError as error:
        raise Problem("INVALID_REQUEST_PARAMETERS", detail=str(error)) from error
    api_base = None if account.api_base == API_BASE else account.api_base
    sealed = runtime.accounts.seal(tenant, NAME, account, api_base)
    async with runtime.database.transaction() as tx:
        if not await lock_business(tx, tenant.business_id):
            raise Problem("NOT_FOUND", what="Business")
        await set_account(tx, tenant, NAME, account.publishable_key, api_base, sealed, runtime.real_now())
        await write_audit_entry(runtime, tx, tenant, "processor.set", [NAME], ["keys"])
