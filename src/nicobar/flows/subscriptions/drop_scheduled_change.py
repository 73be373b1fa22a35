"""Delete the plan change that waits for the next billing date."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.subscription import moved
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.save_move import save_move
from nicobar.storage.subscriptions.subscriptions import lock_subscription


async def drop_scheduled_change(runtime: Runtime, tenant: Tenant, subscription_id: str) -> None:
    """Delete it. Raises Problem NOT_FOUND (422, as the contract has it) and SCHEDULED_PLAN_CHANGE_NOT_FOUND."""
    async with runtime.database.transaction() as tx:
        subscription = await lock_subscription(tx, tenant, subscription_id)
        if subscription is None:
            raise Problem("NOT_FOUND", status=422, what="Subscription")
        charge = subscription.open_charge
        if subscription.scheduled_change is None or (charge is not None and charge.change is not None):
            raise Problem("SCHEDULED_PLAN_CHANGE_NOT_FOUND")
        at = runtime.now(tenant)
        result = moved(subscription, subscription.status, at, "subscription.updated", scheduled_change=None)
        await save_move(runtime, tx, result, at)
        await write_audit_entry(runtime, tx, tenant, "subscription.drop_change", [subscription_id])
