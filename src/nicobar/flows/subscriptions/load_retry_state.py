"""Return whether a payment is a failed charge of a subscription that can be sent again."""

from typing import NamedTuple

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import PAYABLE
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.retry_ladder import MANUAL_SENDS
from nicobar.core.subscriptions.subscription import UNPAID, Subscription
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Read
from nicobar.storage.payments.payments import get_payment
from nicobar.storage.subscriptions.charges import charges_of_payments
from nicobar.storage.subscriptions.subscriptions import get_subscription


class RetryState(NamedTuple):
    """Whether and how often a charge can be sent again."""

    subscription: Subscription | None
    reason: str | None
    """The code of the refusal; None when it can be sent."""
    sends_used: int = 0


async def load_retry_state(runtime: Runtime, tenant: Tenant, payment_id: str) -> RetryState:
    """Return whether a failed charge of what is owed now can be sent again. Raises Problem NOT_FOUND.

    A link for what is owed, on which nobody is paying, is in nobody's way: the charge takes its place.
    """
    async with runtime.database.snapshot() as read:
        payment = await get_payment(read, tenant, payment_id)
        if payment is None:
            raise Problem("NOT_FOUND", what="Payment")
        charges = await charges_of_payments(read, tenant, [payment_id])
        if not charges or payment.status != "failed" or charges[0].charge_type not in ("renewal", "plan_change"):
            return RetryState(None, "UNSUPPORTED_ACTION")
        subscription = await get_subscription(read, tenant, charges[0].subscription_id)
        is_under_way = subscription is not None and await _is_under_way(read, subscription)
    if subscription is None or subscription.arrears is None:
        return RetryState(None, "UNSUPPORTED_ACTION")
    arrears = subscription.arrears
    if arrears.period.starts_at != charges[0].starts_at or subscription.status not in UNPAID:
        return RetryState(subscription, "SUBSCRIPTION_INACTIVE", arrears.manual_sends)
    if is_under_way:
        return RetryState(subscription, "PREVIOUS_PAYMENT_PENDING", arrears.manual_sends)
    if arrears.manual_sends >= MANUAL_SENDS:
        return RetryState(subscription, "SUBSCRIPTION_PAYMENT_RETRY_LIMIT_EXCEEDED", arrears.manual_sends)
    return RetryState(subscription, None, arrears.manual_sends)


async def _is_under_way(read: Read, subscription: Subscription) -> bool:
    """Return whether a charge may be paid yet without anybody doing more, which a second one must not join."""
    opened = subscription.open_charge
    if opened is None or opened.link_until is None:
        return opened is not None
    payment = await get_payment(read, subscription.tenant, opened.payment_id)
    return payment is None or payment.status not in PAYABLE
