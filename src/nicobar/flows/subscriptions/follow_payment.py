"""Do a subscription's part when one of its payments moves, in the transaction that moves the payment."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from nicobar.core.disputes.dispute import LOST, MONEY_GIVEN
from nicobar.core.events.event import DISPUTE_EVENTS
from nicobar.core.events.moves import DisputeMove, FollowedMove, PaymentMove, RefundMove
from nicobar.core.payments.payment import Payment
from nicobar.core.subscriptions.charge_record import ChargeRecord, lines_of_charge
from nicobar.core.subscriptions.given_back import given_back
from nicobar.core.subscriptions.late_credit import credit_late, take_back_credit
from nicobar.core.subscriptions.lifecycle import (
    RecoveryRules,
    charge_failed,
    charge_paid,
    close_link,
    give_up,
    replace_method,
)
from nicobar.core.subscriptions.subscription import FINAL, Subscription
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.activate_subscription import activate_subscription
from nicobar.flows.subscriptions.save_move import save_move
from nicobar.reference import failures
from nicobar.storage.database import Tx
from nicobar.storage.discounts.redemptions import own_codes
from nicobar.storage.events.events import events_of
from nicobar.storage.payments.attempts import paying_attempt
from nicobar.storage.payments.payments import get_pricing
from nicobar.storage.subscriptions.charges import charges_of_payments, end_charge
from nicobar.storage.subscriptions.subscriptions import lock_subscription

_log = structlog.get_logger(__name__)

_LOST_FOR_GOOD: Final = frozenset(DISPUTE_EVENTS[status] for status in MONEY_GIVEN)


async def follow_payment(runtime: Runtime, tx: Tx, move: FollowedMove) -> None:
    """Apply the outcome of a payment to the subscriptions that it charges: they begin, renew, change plan, or owe.

    A payment is locked before its subscriptions, everywhere. A declined first payment with a link ends nothing: its
    customer may try again until the link ends.
    """
    if isinstance(move, RefundMove):
        await _refunded(runtime, tx, move)
    if isinstance(move, DisputeMove):
        await _disputed(runtime, tx, move)
    if not isinstance(move, PaymentMove):
        return
    payment = move.payment
    if payment.status not in ("succeeded", "failed", "cancelled"):
        return
    if payment.status == "failed" and payment.link_id is not None:
        return
    at = runtime.now(payment.tenant)
    first_line = 0
    for charge in await charges_of_payments(tx, payment.tenant, [payment.payment_id]):
        subscription = await lock_subscription(tx, payment.tenant, charge.subscription_id)
        if subscription is None:
            raise LookupError(charge.subscription_id)
        if payment.status == "succeeded":
            await _succeeded(runtime, tx, payment, charge, subscription, first_line, at)
        else:
            await _failed(runtime, tx, payment, charge, subscription, at)
        first_line += len(subscription.plan.lines)


async def _succeeded(
    runtime: Runtime,
    tx: Tx,
    payment: Payment,
    charge: ChargeRecord,
    subscription: Subscription,
    first_line: int,
    at: datetime,
) -> None:
    tenant, opened = payment.tenant, subscription.open_charge
    if subscription.status == "pending":
        inputs = await get_pricing(tx, tenant, payment.payment_id)
        if inputs is None:
            raise LookupError(payment.payment_id)
        codes = await own_codes(tx, tenant, payment.payment_id) if subscription.codes else ()
        begun = await activate_subscription(runtime, subscription, payment, inputs, codes, first_line, at)
        period = begun.subscription.period
        dates = () if begun.subscription.on_demand else (period.starts_at, period.ends_at)
        await end_charge(tx, tenant, charge, "paid", *dates)
        await save_move(runtime, tx, begun, at, payment.payment_id)
    elif payment.options.updates_method:
        await end_charge(tx, tenant, charge, "paid")
        if payment.payment_method_id is not None and subscription.status not in FINAL:
            await save_move(runtime, tx, replace_method(subscription, payment.payment_method_id, at), at)
    elif opened is not None and opened.payment_id == payment.payment_id:
        if payment.payment_method_id is not None:
            opened = opened.with_method(payment.payment_method_id)
        move = charge_paid(subscription, opened, at)
        period = move.subscription.period
        restarted = opened.change is not None and period.starts_at != subscription.previous_billing_date
        await end_charge(tx, tenant, charge, "paid", *((period.starts_at, period.ends_at) if restarted else ()))
        await save_move(runtime, tx, move, at, payment.payment_id)
    elif charge.state != "paid":
        # The bank accepted the charge after it had been given up: what was paid becomes credit.
        _log.error("charge_paid_late", payment_id=payment.payment_id, subscription_id=subscription.subscription_id)
        await end_charge(tx, tenant, charge, "credited")
        paid = _paid_for(payment, charge, subscription)
        await save_move(runtime, tx, credit_late(subscription, paid, at), at)


def _paid_for(payment: Payment, charge: ChargeRecord, subscription: Subscription) -> int:
    """Return what the payment took for this subscription, as credit counts: with tax if the price contains it."""
    lines = lines_of_charge(charge, payment)
    return sum(line.total if subscription.tax_inclusive else line.subtotal - line.discount for line in lines)


async def _refunded(runtime: Runtime, tx: Tx, move: RefundMove) -> None:
    """Take the credit back that was given for a late payment, as far as a refund gives the money itself back.

    A refund that bounces afterwards gives no credit again: what was left of it then, nobody remembers.
    """
    payment, refund = move.payment, move.refund
    if refund.status != "succeeded":
        return

    def amount_of(charge: ChargeRecord, subscription: Subscription) -> int:
        own = {line.position for line in lines_of_charge(charge, payment)}
        lines = [line for line in refund.lines if line.position in own]
        return sum(line.amount if subscription.tax_inclusive else line.amount - line.tax for line in lines)

    await _take_back(runtime, tx, payment, amount_of)


async def _disputed(runtime: Runtime, tx: Tx, move: DisputeMove) -> None:
    """Do the same when the customer's bank keeps the money of a late payment: they would have it and the credit.

    Only at the end of the dispute: until then the seller may get the money back, and has given the credit for it.
    """
    payment, dispute = move.payment, move.dispute
    if dispute.status not in LOST or not dispute.money_out:
        return
    told = [event.type for event in await events_of(tx, payment.tenant, dispute.dispute_id)]
    if sum(type in _LOST_FOR_GOOD for type in told) > (dispute.status in MONEY_GIVEN):
        return  # it was lost before, and an appeal has turned it round and back
    attempt = await paying_attempt(tx, payment.tenant, payment.payment_id)
    if attempt is None or attempt.attempt_id != dispute.attempt_id:
        return
    disputed = dispute.amount if dispute.currency == payment.currency else payment.total_amount

    def amount_of(charge: ChargeRecord, subscription: Subscription) -> int:
        whole = msgspec.structs.replace(charge, factor="1")
        held, other = (
            given_back(whole, payment, each, tax_inclusive=subscription.tax_inclusive) for each in (disputed, 0)
        )
        return held - other

    await _take_back(runtime, tx, payment, amount_of)


async def _take_back(
    runtime: Runtime, tx: Tx, payment: Payment, amount_of: Callable[[ChargeRecord, Subscription], int]
) -> None:
    """Take the credit back that a late payment gave to its subscriptions, of each so much, as far as it is there."""
    at = runtime.now(payment.tenant)
    for charge in await charges_of_payments(tx, payment.tenant, [payment.payment_id]):
        if charge.state != "credited":
            continue
        subscription = await lock_subscription(tx, payment.tenant, charge.subscription_id)
        if subscription is None:
            raise LookupError(charge.subscription_id)
        taken = take_back_credit(subscription, amount_of(charge, subscription), at)
        if taken is not None:
            await save_move(runtime, tx, taken, at)


async def _failed(
    runtime: Runtime, tx: Tx, payment: Payment, charge: ChargeRecord, subscription: Subscription, at: datetime
) -> None:
    tenant, opened = payment.tenant, subscription.open_charge
    if charge.state != "open":
        return
    await end_charge(tx, tenant, charge, "failed")
    if subscription.status == "pending":
        await save_move(runtime, tx, give_up(subscription, at), at)
    elif opened is not None and opened.payment_id == payment.payment_id and opened.link_until is not None:
        await save_move(runtime, tx, close_link(subscription, at), at)
    elif opened is not None and opened.payment_id == payment.payment_id:
        result = charge_failed(subscription, opened, at, await _rules(runtime, payment), soft=_is_soft(payment))
        await save_move(runtime, tx, result, at)


async def _rules(runtime: Runtime, payment: Payment) -> RecoveryRules:
    settings = (await load_policy(runtime, payment.tenant)).settings
    return RecoveryRules(
        timedelta(days=settings.grace_period_days),
        settings.grace_period_end == "cancel",
        timedelta(days=settings.renewal_retry_days),
    )


def _is_soft(payment: Payment) -> bool:
    """Return whether a later try may work. An unknown reason counts as hard: cards are not tried at random."""
    code = payment.error_code
    return code is not None and code in failures.CODES and failures.get(code).decline_type == "soft"
