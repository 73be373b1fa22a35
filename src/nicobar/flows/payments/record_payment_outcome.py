"""The door through which a payment reaches its end: what a processor said becomes a status, in one transaction.

What needs no lock has a door of its own: `end_first_attempt`.
"""

from datetime import datetime

import msgspec
import structlog

from nicobar.core.events.event import PAYMENT_EVENTS
from nicobar.core.events.moves import PaymentMove
from nicobar.core.payments.payment import (
    Abandoned,
    Attempt,
    Declined,
    Outcome,
    Payment,
    PaymentStatus,
    Pending,
    Succeeded,
    Unknown,
    method_type,
    status_after,
    without_token,
)
from nicobar.core.payments.saved_method import SavedMethod
from nicobar.flows.events.complete_event import complete_event
from nicobar.flows.events.load_whole_payment import load_whole_payment
from nicobar.flows.events.tell_followers import tell_followers
from nicobar.flows.events.write_event import write_event
from nicobar.flows.ledger.book_payment import book_payment
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx
from nicobar.storage.discounts.redemptions import redeem, release
from nicobar.storage.due_work import RETURNS
from nicobar.storage.payments.attempts import overrule_attempt, update_attempt
from nicobar.storage.payments.payment_moves import move_payment
from nicobar.storage.payments.saved_methods import keep_method, touch_method

_log = structlog.get_logger(__name__)


async def record_payment_outcome(
    runtime: Runtime, tx: Tx, payment: Payment, attempt: Attempt | None, outcome: Outcome, at: datetime
) -> bool:
    """Store an outcome, move the payment and notify about it; return whether anything changed.

    The caller holds the payment's row (`lock_payment`) and read `attempt` under that lock; None stands for a free
    payment, which no processor sees. The status, the books, the uses of codes, the event and what followers do are
    one commit. An attempt that has ended keeps its end: a second word on it changes nothing, but for a success
    (`_accept_late_charge`). A doubt never replaces something that the processor has said.

    Raises RuntimeError when the transition table refuses the move, which rolls everything back: a bug of ours.
    """
    if attempt is not None:
        if attempt.resolved_at is not None:
            return await _accept_late_charge(runtime, tx, payment, attempt, outcome, at)
        if isinstance(outcome, Unknown) and attempt.outcome is not None:
            return False
        ended = isinstance(outcome, Succeeded | Declined | Abandoned)
        if not await update_attempt(tx, payment.tenant, attempt.attempt_id, without_token(outcome), at, resolved=ended):
            return False
    target = status_after(outcome)
    if target == payment.status:
        if isinstance(outcome, Pending) and not isinstance(attempt and attempt.outcome, Pending):
            await _tell(runtime, tx, payment, payment.status, at)  # the processor has it now, and it may take days
        return True
    await _move(runtime, tx, payment, attempt, outcome, at)
    return True


async def _move(
    runtime: Runtime,
    tx: Tx,
    payment: Payment,
    attempt: Attempt | None,
    outcome: Outcome,
    at: datetime,
    *,
    overruled: bool = False,
) -> None:
    """Move the payment to where the outcome leads, with everything that has to be in the same commit.

    With `overruled` another attempt may have left its card in the payment since: that of this one takes its place.
    """
    target = status_after(outcome)
    card = outcome.card if isinstance(outcome, Succeeded) else None
    if overruled and card is None and attempt is not None:
        card = attempt.card
    if overruled and card is not None:
        payment = msgspec.structs.replace(payment, payment_method_id=None)
    moved = await move_payment(
        tx,
        payment,
        target,
        at,
        payment_method="card" if overruled and card is not None else None,
        payment_method_type=None if card is None else method_type(card),
        card=card,
        error_code=outcome.error_code if isinstance(outcome, Declined) else None,
        error_message=outcome.error_message if isinstance(outcome, Declined) else None,
        payment_method_id=await _saved(tx, payment, attempt, outcome, at),
        three_ds=None if isinstance(outcome, Unknown | Pending | Abandoned) else outcome.three_ds,
    )
    if moved is None:
        raise RuntimeError(f"{payment.payment_id} cannot move from {payment.status} to {target}")
    if target == "succeeded":
        if payment.options.discount_codes or payment.options.starts:  # a trial's codes are the subscription's
            await redeem(tx, payment.tenant, payment.payment_id, at)
        await book_payment(runtime, tx, moved, at)
    elif target == "failed" and payment.options.discount_codes:
        await release(tx, [(payment.tenant, payment.payment_id)], at)
    await _tell(runtime, tx, moved, payment.status, at)
    _log.info("payment_moved", payment_id=payment.payment_id, origin=payment.status, status=target)


async def _tell(runtime: Runtime, tx: Tx, payment: Payment, origin: PaymentStatus, at: datetime) -> None:
    """Write the event about the payment's status, if there is one, and notify the followers."""
    type, event = PAYMENT_EVENTS.get(payment.status), None
    if type is not None:
        whole = await load_whole_payment(runtime, tx, payment)
        event = await write_event(runtime, tx, payment.tenant, type, whole, at)
    await tell_followers(runtime, tx, PaymentMove(payment, origin, event))
    if event is not None and payment.status == "succeeded" and payment.options.charges_subscription:
        # Only now its subscriptions have begun the periods that it pays for.
        await complete_event(runtime, tx, payment.tenant, event)


async def _saved(tx: Tx, payment: Payment, attempt: Attempt | None, outcome: Outcome, at: datetime) -> str | None:
    """After a success, keep the card if its owner agreed, or note that a saved one was used; return its id.

    A new method takes its id from the attempt, which is unique: the random part after `pm_` is the attempt's own.
    """
    if attempt is None or not isinstance(outcome, Succeeded):
        return None
    if payment.payment_method_id is not None:
        await touch_method(tx, payment.tenant, payment.payment_method_id, at, outcome.card)
    card = outcome.card or attempt.card
    if not attempt.save_method or outcome.kept is None or card is None:
        return payment.payment_method_id
    method = SavedMethod(
        payment_method_id=f"pm_{attempt.attempt_id.partition('_')[2]}",
        customer_id=payment.customer.customer_id,
        processor=attempt.processor,
        account=attempt.account,
        token=outcome.kept.token,
        fingerprint=outcome.kept.fingerprint,
        card=card,
        last_used_at=at,
    )
    return await keep_method(tx, payment.tenant, method)


async def _accept_late_charge(
    runtime: Runtime, tx: Tx, payment: Payment, attempt: Attempt, outcome: Outcome, at: datetime
) -> bool:
    """Record that an attempt has charged the customer after all, although it counts as ended without a charge.

    The customer has paid, so the payment succeeds if it still can. When another attempt has paid it or is under way,
    or when its total has changed since, this charge is one too many: its row is due to be given back.
    """
    if not isinstance(outcome, Succeeded) or isinstance(attempt.outcome, Succeeded):
        return False
    tenant, attempt_id = payment.tenant, attempt.attempt_id
    same_total = (attempt.amount, attempt.currency) == (payment.total_amount, payment.currency)
    pays = same_total and payment.status in ("failed", "requires_payment_method")
    await overrule_attempt(tx, tenant, attempt_id, without_token(outcome), at, surplus=not pays)
    if pays:
        await _move(runtime, tx, payment, attempt, outcome, at, overruled=True)
    elif attempt.amount:
        runtime.database.announce_work(tx, RETURNS.table)
        _log.error(
            "charged_twice",
            payment_id=payment.payment_id,
            attempt_id=attempt_id,
            reference=outcome.reference,
        )
    return True
