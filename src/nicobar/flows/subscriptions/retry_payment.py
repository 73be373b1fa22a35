"""Send a failed charge of a subscription again by hand."""

from typing import NamedTuple

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Payment
from nicobar.core.problems import Problem
from nicobar.core.subscription_problems import NO_NEW_CHARGE
from nicobar.core.subscriptions.due import retry_of
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.charge_due import NothingToCharge, charge_due
from nicobar.flows.subscriptions.load_retry_state import load_retry_state
from nicobar.flows.subscriptions.place_charge import Overtaken
from nicobar.storage.payments.payments import get_payment


class RetriedPayment(NamedTuple):
    """What sending a charge again made."""

    payment: Payment
    """The new payment, as it is now."""
    retry_attempt: int
    sends_used: int


async def retry_payment(runtime: Runtime, tenant: Tenant, payment_id: str) -> RetriedPayment:
    """Charge the stored method once more and return the new payment; a decline is no refusal.

    A link for what is owed ends, which its customer may have lost: the charge takes its place.

    Raises Problem NOT_FOUND, the reason that `load_retry_state` gives, PREVIOUS_PAYMENT_PENDING, and
    NO_ELIGIBLE_PAYMENT_METHODS without a method that can pay; nothing is changed then.
    """
    state = await load_retry_state(runtime, tenant, payment_id)
    if state.reason == "UNSUPPORTED_ACTION" or state.subscription is None:
        raise Problem("UNSUPPORTED_ACTION", detail="Only failed renewals of subscriptions can be retried")
    if state.reason is not None:
        raise Problem(state.reason, message=NO_NEW_CHARGE if state.reason == "PREVIOUS_PAYMENT_PENDING" else None)
    due = retry_of(state.subscription)
    try:
        placed = await charge_due(runtime, state.subscription, due, runtime.now(tenant), is_manual=True)
    except Overtaken as error:
        raise Problem("PREVIOUS_PAYMENT_PENDING", message=NO_NEW_CHARGE) from error
    except NothingToCharge as error:
        raise Problem("NO_ELIGIBLE_PAYMENT_METHODS") from error
    async with runtime.database.snapshot() as read:
        payment = await get_payment(read, tenant, placed.payment.payment_id)
    return RetriedPayment(payment or placed.payment, due.retry_attempt, state.sends_used + 1)
