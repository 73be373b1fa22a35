"""Take an account at a processor away from a business."""

from collections.abc import Sequence

from nicobar.core.accounts.processor_account import ProcessorAccount
from nicobar.core.business.tenant import Tenant
from nicobar.core.counted import counted
from nicobar.core.problems import Problem
from nicobar.flows.accounts.identify_accounts import identify_accounts
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.accounts.account_uses import account_work
from nicobar.storage.accounts.processor_accounts import close_account, list_accounts, retire_account
from nicobar.storage.business.settings import lock_business


async def remove_processor_account(
    runtime: Runtime, tenant: Tenant, processor: str, account: str | None = None
) -> None:
    """Forget the keys of the account that charges or, with `account`, of the one that is known as that.

    What it has charged stays its own: nobody else is queried for it, and all goes on when it is set again. So that it
    is recognised then, its keys are used once more to learn whose they are, where that is not known yet.

    Raises Problem UNSUPPORTED_ACTION while payments or refunds are under way there, whose end could no longer be
    queried, and NOT_FOUND when there is no such account; nothing is changed then.
    """
    identified = await identify_accounts(runtime, tenant, processor)
    async with runtime.database.transaction() as tx:
        await lock_business(tx, tenant.business_id)
        stored = _find(await list_accounts(tx, tenant), tenant, processor, account)
        await close_account(tx, stored)
        work = await account_work(tx, stored)
        if work.under_way:
            raise Problem(
                "UNSUPPORTED_ACTION",
                detail=f"Under way there: {counted(work.open_attempts, f'{tenant.mode} payment')} and "
                f"{counted(work.pending_refunds + work.returns, 'refund')}. Only this account can tell how they end.",
            )
        account_id = stored.account_id or identified.get(stored.number)
        await retire_account(tx, stored, account_id, runtime.real_now(), keep_keys=False)
        await write_audit_entry(runtime, tx, tenant, "processor.remove", [processor])


def _find(
    accounts: Sequence[ProcessorAccount], tenant: Tenant, processor: str, account: str | None
) -> ProcessorAccount:
    """Return the account that is meant. Of two that are known as the same it is the retired one."""
    own = [stored for stored in accounts if stored.processor == processor]
    for stored in reversed(own):
        if stored.retired_at is None if account is None else stored.known_as == account:
            return stored
    message = (
        f"There is no account{'' if account is None else f' {account}'} at {processor} for {tenant.mode} payments."
    )
    if account is None and own:
        names = ", ".join(stored.known_as for stored in own)
        message = f"No account at {processor} charges {tenant.mode} payments now. "
        message += f"Those that did are removed by name: {names}."
    raise Problem("NOT_FOUND", message=message)
