"""The one door through which a payment reaches its end: what a processor said becomes a status, in one transaction."""

from datetime import datetime

import msgspec
import structlog

from nicobar.core.payment import (
    Abandoned,
    Attempt,
    Declined,
    Outcome,
    Payment,
    Pending,
    Succeeded,
    Unknown,
    status_after,
)
from nicobar.core.saved_method import SavedMethod
from nicobar.storage.attempts import update_attempt
from nicobar.storage.database import Tx
from nicobar.storage.payments import move_payment
from nicobar.storage.redemptions import redeem
from nicobar.storage.saved_methods import keep_method, touch_method

_log = structlog.get_logger(__name__)


async def record_outcome(tx: Tx, payment: Payment, attempt: Attempt | None, outcome: Outcome, at: datetime) -> bool:
    """Store an outcome and move the payment; say whether anything changed.

    The caller holds the payment's row (`lock_payment`) and read `attempt` under that lock; None stands for a free
    payment, which no processor sees. An attempt that has ended keeps its end: a second word on it changes nothing.
    A doubt never replaces something that the processor has said.

    Raises RuntimeError when the transition table refuses the move, which rolls everything back: a bug of ours.
    """
    if attempt is not None:
        if attempt.resolved_at is not None:
            _warn_of_contradiction(payment, attempt, outcome)
            return False
        if isinstance(outcome, Unknown) and attempt.outcome is not None:
            return False
        ended = isinstance(outcome, Succeeded | Declined | Abandoned)
        told = msgspec.structs.replace(outcome, kept=None) if isinstance(outcome, Succeeded) else outcome
        if not await update_attempt(tx, payment.tenant, attempt.attempt_id, told, at, resolved=ended):
            return False
    target = status_after(outcome)
    if target == payment.status:
        return True
    moved = await move_payment(
        tx,
        payment.tenant,
        payment.payment_id,
        target,
        at,
        error_code=outcome.error_code if isinstance(outcome, Declined) else None,
        error_message=outcome.error_message if isinstance(outcome, Declined) else None,
        payment_method_id=await _saved(tx, payment, attempt, outcome, at),
        three_ds=None if isinstance(outcome, Unknown | Pending | Abandoned) else outcome.three_ds,
    )
    if not moved:
        raise RuntimeError(f"{payment.payment_id} cannot move from {payment.status} to {target}")
    if target == "succeeded":
        await redeem(tx, payment.tenant, payment.payment_id, at)
    _log.info("payment_moved", payment_id=payment.payment_id, origin=payment.status, status=target)
    return True


async def _saved(tx: Tx, payment: Payment, attempt: Attempt | None, outcome: Outcome, at: datetime) -> str | None:
    """After a success, keep the card if its owner agreed, or note that a saved one was used; return its id.

    A new method takes its id from the attempt, which is unique: the random part after `pm_` is the attempt's own.
    """
    if attempt is None or not isinstance(outcome, Succeeded):
        return None
    if payment.payment_method_id is not None:
        await touch_method(tx, payment.tenant, payment.payment_method_id, at)
    if not attempt.save_method or outcome.kept is None or attempt.card is None:
        return payment.payment_method_id
    method = SavedMethod(
        payment_method_id=f"pm_{attempt.attempt_id.partition('_')[2]}",
        customer_id=payment.customer.customer_id,
        processor=attempt.processor,
        token=outcome.kept.token,
        fingerprint=outcome.kept.fingerprint,
        card=attempt.card,
        last_used_at=at,
    )
    return await keep_method(tx, payment.tenant, method)


def _warn_of_contradiction(payment: Payment, attempt: Attempt, outcome: Outcome) -> None:
    """Tell the operator when money was taken for an attempt that counts as declined: it has to be given back."""
    if isinstance(outcome, Succeeded) and isinstance(attempt.outcome, Declined):
        _log.error(
            "charged_after_decline",
            payment_id=payment.payment_id,
            attempt_id=attempt.attempt_id,
            reference=outcome.reference,
        )
