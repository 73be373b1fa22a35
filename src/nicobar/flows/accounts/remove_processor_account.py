"""Take an account at a processor away from a business."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.accounts.processor_accounts import attempts_under_way, delete_account
from nicobar.storage.business.settings import lock_business


async def remove_processor_account(runtime: Runtime, tenant: Tenant, processor: str) -> None:
    """Forget an account and its keys.

    Raises Problem UNSUPPORTED_ACTION while payments are under way there, whose end could no longer be queried, and
    NOT_FOUND when there is no such account; nothing is changed then.
    """
    async with runtime.database.transaction() as tx:
        await lock_business(tx, tenant.business_id)
        under_way = await attempts_under_way(tx, tenant, processor)
        if under_way:
            detail = (
                f"{under_way} {tenant.mode} payments are under way there, and only this account can tell how they end."
            )
            raise Problem("UNSUPPORTED_ACTION", detail=detail)
        if not await delete_account(tx, tenant, processor):
            raise Problem("NOT_FOUND", message=f"There is no account at {processor} for {tenant.mode} payments.")
        await write_audit_entry(runtime, tx, tenant, "processor.remove", [processor])
