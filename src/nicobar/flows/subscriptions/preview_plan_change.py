"""Return what a plan change would come to, without making it."""

from collections.abc import Sequence
from typing import NamedTuple

from nicobar.core.business.tenant import Tenant
from nicobar.core.pricing.quote import CartLine
from nicobar.core.subscriptions.plan_change_request import PlanChangeRequest
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.core.subscriptions.whole_subscription import WholeSubscription
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.events.load_whole_subscription import load_whole_subscription
from nicobar.flows.plans.plan_lines import plan_lines
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.decide_plan_change import DecidedChange, decide_plan_change
from nicobar.flows.subscriptions.require_subscription import require_subscription


class PreviewedChange(NamedTuple):
    """What a plan change would come to."""

    before: Subscription
    decided: DecidedChange
    old_lines: Sequence[CartLine]
    """One cycle of the old plan, as it would be charged today."""
    after: WholeSubscription
    """The subscription as it would be."""


async def preview_plan_change(
    runtime: Runtime, tenant: Tenant, subscription_id: str, request: PlanChangeRequest
) -> PreviewedChange:
    """Return it. Raises Problem as the change itself does; nothing is written."""
    subscription = await require_subscription(runtime, tenant, subscription_id)
    at = runtime.now(tenant)
    decided = await decide_plan_change(runtime, subscription, request, at)
    after = decided.after(subscription, at).subscription
    async with runtime.database.read() as read:
        whole = await load_whole_subscription(read, after)
    policy = await load_policy(runtime, tenant)
    old_lines = plan_lines(subscription, subscription.plan, policy, at.date(), decided.tax_id)
    return PreviewedChange(subscription, decided, old_lines, whole)
