"""The customer pays: record the intent, call the processor, record the outcome.

The ladder of refusals, in this order: unknown payment, not payable (any more), a form that was used before, no
processor, a card that cannot be taken. From there the attempt is made.
"""

import asyncio
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from nicobar.core.methods import CARD_TYPES
from nicobar.core.paying import is_payable, revision
from nicobar.core.payment import Attempt, CardDetails, Outcome, Payment, Succeeded, Unknown
from nicobar.core.problems import Problem
from nicobar.core.tenant import Tenant
from nicobar.flows.record_outcome import record_outcome
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import CardInput, CardRefused, ChargeRequest, Processor
from nicobar.processors.registry import processor_for
from nicobar.storage.attempts import get_attempt, insert_attempt
from nicobar.storage.database import Tx, UniqueViolation
from nicobar.storage.payments import lock_payment, move_payment

_log = structlog.get_logger(__name__)

CHARGE_TIMEOUT: Final = 30.0
"""Seconds that a processor may take to answer; then the outcome is unknown and the resolver asks again."""


class Confirmation(NamedTuple):
    """What a confirmation came to."""

    outcome: Outcome | None
    """What the processor said; None when no attempt was made, because the payment could not be paid any more."""


class _Order(NamedTuple):
    """What to ask of whom, for an attempt that is committed."""

    processor: Processor
    request: ChargeRequest


async def confirm_payment(
    runtime: Runtime, tenant: Tenant, payment_id: str, card: CardInput | None, seen: datetime | None = None
) -> Confirmation:
    """Charge a payment to a card; a payment of nothing needs none and succeeds at once.

    `seen` is the `revision` that the customer's form was made for: after any change the form counts as used, so that
    a double click cannot try a declined card twice. None skips that check.

    Raises Problem NOT_FOUND for an unknown payment, UNSUPPORTED_ACTION without a processor for its mode,
    INVALID_REQUEST_BODY without a card, and CardRefused for a card that cannot be taken; nothing is stored then.
    """
    try:
        async with runtime.database.transaction() as tx:
            order = await _record_intent(tx, runtime, tenant, payment_id, card, seen)
    except UniqueViolation:
        return Confirmation(None)  # a live attempt exists: the database refused a second one
    if not isinstance(order, _Order):
        return Confirmation(order)
    outcome = await _charge(order)
    async with runtime.database.transaction() as tx:
        payment = await lock_payment(tx, tenant, payment_id)
        attempt = await get_attempt(tx, tenant, order.request.attempt_id)
        if payment is not None and attempt is not None:
            await record_outcome(tx, payment, attempt, outcome, runtime.clock.now())
    return Confirmation(outcome)


async def _record_intent(
    tx: Tx, runtime: Runtime, tenant: Tenant, payment_id: str, card: CardInput | None, seen: datetime | None
) -> _Order | Outcome | None:
    """Walk the ladder under the payment's lock; return the order to place, or how it ended without one."""
    payment = await lock_payment(tx, tenant, payment_id)
    if payment is None:
        raise Problem("NOT_FOUND", what=f"Payment {payment_id}")
    at = runtime.clock.now()
    if not is_payable(payment, at) or (seen is not None and seen != revision(payment)):
        return None
    if payment.total_amount == 0:
        free = Succeeded("free")
        await record_outcome(tx, payment, None, free, at)
        return free
    processor = processor_for(runtime.processors, tenant.mode)
    if processor is None:
        raise Problem("UNSUPPORTED_ACTION", detail=f"No processor is configured for {tenant.mode} payments")
    if card is None:
        raise Problem("INVALID_REQUEST_BODY", path="number", detail="A card is needed to pay.")
    details = _accepted(processor, card, payment, at)
    attempt = Attempt(
        attempt_id=runtime.new_id("att", at),
        payment_id=payment_id,
        processor=processor.name,
        amount=payment.total_amount,
        currency=payment.currency,
        card=details,
        outcome=None,
        created_at=at,
        resolved_at=None,
    )
    await insert_attempt(tx, tenant, attempt)
    await move_payment(
        tx,
        tenant,
        payment_id,
        "processing",
        at,
        payment_method="card",
        payment_method_type=_method_type(details),
        card=details,
    )
    return_url = runtime.public_url if payment.link_id is None else runtime.link_url(payment.link_id)
    return _Order(processor, ChargeRequest(attempt.attempt_id, attempt.amount, attempt.currency, card, return_url))


def _accepted(processor: Processor, card: CardInput, payment: Payment, now: datetime) -> CardDetails:
    """Return what may be kept of the card. Raises CardRefused when the processor or the payment does not take it."""
    details = processor.describe(card, now)
    allowed = payment.options.allowed_payment_method_types
    if allowed is not None and _method_type(details) not in allowed:
        only = next(iter(sorted(CARD_TYPES.intersection(allowed))), "credit")
        raise CardRefused("number", f"only_{only}_cards")
    return details


def _method_type(card: CardDetails) -> str:
    """Return the contract's type for a card: prepaid cards count as debit."""
    return "credit" if card.funding == "credit" else "debit"


async def _charge(order: _Order) -> Outcome:
    """Ask the processor, outside any transaction. Whatever goes wrong, the money may have been taken: Unknown."""
    processor, request = order
    try:
        async with asyncio.timeout(CHARGE_TIMEOUT):
            return await processor.charge(request)
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything, and its words may quote the card
        why = type(error).__name__
        _log.warning("charge_in_doubt", attempt_id=request.attempt_id, processor=processor.name, why=why)
        return Unknown(why)
