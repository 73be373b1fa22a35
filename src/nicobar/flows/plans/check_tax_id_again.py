"""Check the tax id of a subscription again, for a charge of today."""

import structlog

from nicobar.core.pricing.policy import Policy
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.core.tax.tax_id import CheckedTaxId
from nicobar.flows.runtime import Runtime
from nicobar.flows.tax.check_tax_id import check_tax_id

_log = structlog.get_logger(__name__)


async def check_tax_id_again(runtime: Runtime, subscription: Subscription, policy: Policy) -> CheckedTaxId | None:
    """Return the tax id if it holds today; None for none, and for one that is not in force any more: tax is charged."""
    if subscription.tax_id is None:
        return None
    try:
        return await check_tax_id(runtime, subscription.billing.country, subscription.tax_id, policy.settings)
    except Problem as problem:
        _log.warning("tax_id_not_in_force", subscription_id=subscription.subscription_id, why=problem.code)
        return None
