"""Do what is due of a subscription: one thing, and the row is due again when the next one is."""

from datetime import datetime

import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.due import ChargeDue, DueStep, next_step
from nicobar.core.subscriptions.lifecycle import cancel, close_link, end_grace, expire, give_up, hold_without_method
from nicobar.core.subscriptions.subscription import Moved, Subscription
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.charge_due import NothingToCharge, charge_due
from nicobar.flows.subscriptions.place_charge import Overtaken
from nicobar.flows.subscriptions.save_move import save_move
from nicobar.storage.payments.hosted_pages import end_payment_link
from nicobar.storage.payments.payments import lock_payment
from nicobar.storage.subscriptions.charges import charges_of_payments, end_charge
from nicobar.storage.subscriptions.subscriptions import get_subscription, lock_subscription

_log = structlog.get_logger(__name__)

_UNDER_WAY = ("processing", "requires_customer_action")


async def work_on_subscription(runtime: Runtime, tenant: Tenant, subscription_id: str) -> bool:
    """Give up, cancel, expire, end a grace period, or charge; return False when it has to be tried again.

    Any number of workers may do it at once: what was decided is written only if the subscription is still as it was
    read, and a period is paid once.
    """
    async with runtime.database.read() as read:
        subscription = await get_subscription(read, tenant, subscription_id)
    if subscription is None:
        return True
    at = runtime.now(tenant)
    step = next_step(subscription, at)
    try:
        if isinstance(step, ChargeDue):
            await _charge(runtime, subscription, step, at)
            return True
        return await _move(runtime, subscription, step, at)
    except Overtaken:
        return False
    except Problem as problem:
        _log.error("charge_not_placed", subscription_id=subscription_id, code=problem.code, why=problem.message)
        return False


async def _charge(runtime: Runtime, subscription: Subscription, due: ChargeDue, at: datetime) -> None:
    """Charge what is due; without a method that can pay the subscription is put on hold, or stops retrying by itself.

    Raises Overtaken and Problem as `charge_due` does.
    """
    try:
        await charge_due(runtime, subscription, due, at)
    except NothingToCharge:
        async with runtime.database.transaction() as tx:
            if await lock_subscription(tx, subscription.tenant, subscription.subscription_id) != subscription:
                raise Overtaken from None
            await save_move(runtime, tx, hold_without_method(subscription, at), at)


async def _move(runtime: Runtime, subscription: Subscription, step: DueStep | None, at: datetime) -> bool:
    tenant = subscription.tenant
    async with runtime.database.transaction() as tx:
        waited_for = _waited_for(subscription, step)
        if waited_for is not None:
            payment = await lock_payment(tx, tenant, waited_for)
            if payment is not None and payment.status in _UNDER_WAY:
                return False  # its customer paid in time, and the bank has not said how it ended
        if await lock_subscription(tx, tenant, subscription.subscription_id) != subscription:
            raise Overtaken
        result = _moved(subscription, step, at)
        if waited_for is not None and result.subscription.open_charge is None:
            await end_payment_link(tx, tenant, waited_for, at)
            for charge in await charges_of_payments(tx, tenant, [waited_for]):
                if charge.subscription_id == subscription.subscription_id and charge.state == "open":
                    await end_charge(tx, tenant, charge, "failed")
        await save_move(runtime, tx, result, at)
    return True


def _waited_for(subscription: Subscription, step: DueStep | None) -> str | None:
    """Return the payment that was not made in time."""
    if step == "give_up":
        return subscription.first_payment_id
    if step in ("close_link", "end_grace") and subscription.open_charge is not None:
        return subscription.open_charge.payment_id
    return None


def _moved(subscription: Subscription, step: DueStep | None, at: datetime) -> Moved:
    match step:
        case "give_up":
            return give_up(subscription, at)
        case "cancel":
            return cancel(subscription, at, None)
        case "expire":
            return expire(subscription, at)
        case "end_grace":
            return end_grace(subscription, at)
        case "close_link":
            return close_link(subscription, at)
        case _:
            return Moved(subscription)  # nothing is due any more: the row waits for its own next time
