"""Change the plan of a subscription: now, with what it costs, or at the next billing date."""

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.fields import checked_metadata
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.plan_change_request import PlanChangeRequest
from nicobar.core.subscriptions.subscription import Subscription, moved
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.refunds.load_given_back import load_given_back
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.decide_plan_change import CHANGED_PLAN, DecidedChange, decide_plan_change
from nicobar.flows.subscriptions.place_charge import Overtaken, place_charge
from nicobar.flows.subscriptions.require_subscription import require_subscription
from nicobar.flows.subscriptions.save_move import save_move
from nicobar.storage.subscriptions.subscriptions import lock_subscription


async def change_plan(runtime: Runtime, tenant: Tenant, subscription_id: str, request: PlanChangeRequest) -> None:
    """Schedule the change, make it at once where nothing is due, or charge the stored method for it.

    A scheduled change that it replaces goes when this one is scheduled or made.

    Raises Problem NOT_FOUND, what `decide_plan_change` refuses, PREVIOUS_PAYMENT_PENDING when something else happened
    to the subscription at the same moment, and NO_ELIGIBLE_PAYMENT_METHODS without a method; nothing is changed then.
    A decline is no refusal: `on_failure` says what becomes of the change.
    """
    subscription = await require_subscription(runtime, tenant, subscription_id)
    if request.metadata is not None:
        request = msgspec.structs.replace(request, metadata=checked_metadata(request.metadata))
    at = runtime.now(tenant)
    decided = await decide_plan_change(runtime, subscription, request, at)
    try:
        if decided.scheduled or decided.order.priced.charge.quote.total == 0:
            await _at_no_cost(runtime, subscription, decided)
            return
        if subscription.payment_method_id is None:
            raise Problem("NO_ELIGIBLE_PAYMENT_METHODS")
        await place_charge(runtime, subscription, decided.order, decided.tax_id, at)
    except Overtaken as error:
        raise Problem("PREVIOUS_PAYMENT_PENDING") from error


async def _at_no_cost(runtime: Runtime, subscription: Subscription, decided: DecidedChange) -> None:
    """Schedule the change, or apply one for which nothing is due: what it gives back becomes credit."""
    tenant, at = subscription.tenant, runtime.now(subscription.tenant)
    async with runtime.database.transaction() as tx:
        if await lock_subscription(tx, tenant, subscription.subscription_id) != subscription:
            raise Overtaken
        counted, inclusive = decided.order.given_back, decided.change.tax_inclusive
        if counted is not None and await load_given_back(tx, subscription, tax_inclusive=inclusive) != counted:
            raise Overtaken
        if decided.scheduled:
            fields = {"scheduled_change": decided.change}
            result = moved(subscription, subscription.status, at, "subscription.updated", **fields)
        else:
            result = decided.after(subscription, at)
        await save_move(runtime, tx, result, at)
        await write_audit_entry(runtime, tx, tenant, CHANGED_PLAN, [subscription.subscription_id])
