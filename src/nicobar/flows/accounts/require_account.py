"""Make sure that the account through which something begins is still there."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Processor
from nicobar.storage.accounts.processor_accounts import hold_account
from nicobar.storage.database import Tx


async def require_account(runtime: Runtime, tx: Tx, tenant: Tenant, processor: Processor) -> None:
    """Keep the account of `processor` from being removed until what begins now is committed, and seen by the removal.

    The policy is some seconds old, so the account may have been removed since: a charge or a refund that began then
    would be one about which nobody can be asked. Raises Problem UNSUPPORTED_ACTION then. Processors that need no
    configuration have no account to remove.
    """
    if runtime.is_built_in(processor):
        return
    if not await hold_account(tx, tenant, processor.name, processor.account):
        detail = f"The account at {processor.name} for {tenant.mode} payments is not configured any more"
        raise Problem("UNSUPPORTED_ACTION", detail=detail)
