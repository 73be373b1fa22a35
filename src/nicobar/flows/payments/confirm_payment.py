"""The customer pays: record the intent, call the processor, record the outcome.

The ladder of refusals, in this order: unknown payment, not payable (any more), a form that was used before, a second
subscription of a customer who may have one, no processor, a card, saved method or other method that cannot be taken.
From there the attempt is made.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.methods import CARD_TYPES, decide
from nicobar.core.payments.paying import is_payable, moves_alone, revision
from nicobar.core.payments.payment import Attempt, CardDetails, Outcome, Payment, Succeeded, method_type
from nicobar.core.payments.repricing import PaymentChange
from nicobar.core.payments.saved_method import SavedChoice, SavedMethod, takes
from nicobar.core.pricing.policy import Policy
from nicobar.core.problems import Problem
from nicobar.core.simulator.simulated_scenario import METADATA_KEY
from nicobar.flows.accounts.ask_processor import ask_processor
from nicobar.flows.accounts.find_processors import find_processors
from nicobar.flows.accounts.require_account import require_account
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.customers.check_only_subscription import check_only_subscription
from nicobar.flows.customers.require_saved_method import require_saved_method
from nicobar.flows.discounts.hold_codes import hold_codes
from nicobar.flows.payments.begin_first_attempt import BegunAttempt, begin_first_attempt
from nicobar.flows.payments.end_first_attempt import end_first_attempt
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.payments.reprice_payment import reprice_payment
from nicobar.flows.pricing.build_method_context import build_method_context
from nicobar.flows.pricing.find_runnable_methods import find_runnable_methods
from nicobar.flows.runtime import Runtime
from nicobar.processors.accounts.registry import is_simulated, processor_for
from nicobar.processors.base import (
    CardInput,
    CardRefused,
    ChargeRequest,
    InputRefused,
    MethodInput,
    Processor,
    SimulatedCharge,
    without_its_words,
)
from nicobar.reference import methods
from nicobar.storage.database import DatabaseUnavailable, Tx, UniqueViolation
from nicobar.storage.payments.attempts import get_attempt
from nicobar.storage.payments.payment_moves import begin_attempt
from nicobar.storage.payments.payments import VersionedPayment, lock_payment

_log = structlog.get_logger(__name__)

CHARGE_TIMEOUT: Final = 30.0
"""Seconds that a processor may take to answer; then the outcome is unknown and the resolver asks again."""


class Confirmation(NamedTuple):
    """What a confirmation came to."""

    outcome: Outcome | None
    """What the processor said; None when no attempt was made, because the payment could not be paid any more."""


class _Wish(NamedTuple):
    """What was asked for, as `confirm_payment` explains it."""

    instrument: CardInput | SavedChoice | MethodInput | SimulatedCharge | None
    seen: datetime | None
    save: bool
    customer_present: bool
    return_url: str | None
    dated: bool = False
    """Whether the taxes are known to be those of paying; the day of the request is, where no customer is there."""


class _Accepted(NamedTuple):
    """What is charged, after every check of it."""

    instrument: CardInput | SavedMethod | MethodInput | SimulatedCharge
    details: CardDetails | None
    """What may be kept of a card; None for every other method."""
    family: str
    type: str


class _Undated(NamedTuple):
    """The payment was last changed on another day, and its taxes may be another day's: those of paying count."""

    revision: datetime


class _ProcessorCall(NamedTuple):
    """What to ask of whom, for an attempt that is committed."""

    processor: Processor
    request: ChargeRequest
    begun: BegunAttempt | None = None
    """The attempt, when it was begun without the payment's lock."""


async def confirm_payment(
    runtime: Runtime,
    tenant: Tenant,
    payment_id: str,
    instrument: CardInput | SavedChoice | MethodInput | SimulatedCharge | None,
    seen: datetime | None = None,
    *,
    save: bool = False,
    create: Callable[[Tx], Awaitable[object]] | None = None,
    return_url: str | None = None,
    known: VersionedPayment | None = None,
) -> Confirmation:
    """Charge a payment to a card or another method; a payment of nothing needs none and succeeds at once.

    `seen` is the `revision` that the customer's form was made for: after any change the form counts as used, so that
    a double click cannot try a declined card twice. None skips that check. `save` is the customer's consent to keep
    the card, should it pay. `create` stores the payment in the transaction that records the attempt: it is charged in
    the merchant's request then, and the customer is not there. `return_url` is where a page of the processor sends
    the customer back to; None stands for the payment link. A SimulatedCharge is for test payments alone. `known` is
    the payment as the caller has read it, which saves locking it where nothing else moves with it.

    A database that is lost between the call and its record is no failure: the attempt is stored, and the sweep asks.

    Raises Problem NOT_FOUND for an unknown payment or saved method, UNSUPPORTED_ACTION without a processor for its
    mode or for a simulated charge that is not allowed, INVALID_REQUEST_BODY without an instrument,
    NO_ELIGIBLE_PAYMENT_METHODS for a saved method that cannot pay it, CUSTOMER_HAS_EXISTING_SUBSCRIPTION, and
    CardRefused for a card that cannot be taken; nothing is stored then.
    """
    if isinstance(instrument, SimulatedCharge) and tenant.mode != "test":
        raise Problem("UNSUPPORTED_ACTION", detail="How a charge ends can be chosen for a test payment only")
    wish = _Wish(instrument, seen, save, create is None, return_url, dated=create is not None)
    policy = await load_policy(runtime, tenant)
    call = None if known is None else await _begin_unlocked(runtime, policy, known, wish)
    if call is None:
        begun = await _begin_locked(runtime, policy, tenant, payment_id, wish, create)
        if not isinstance(begun, _ProcessorCall):
            return Confirmation(begun)
        call = begun
    outcome = await _charge(call)
    try:
        if call.begun is None or not await end_first_attempt(runtime, call.begun, outcome):
            await _record_locked(runtime, tenant, call.request, outcome)
    except DatabaseUnavailable as error:
        _log.error("outcome_not_recorded", attempt_id=call.request.attempt_id, why=str(error))
    return Confirmation(outcome)


async def _begin_locked(
    runtime: Runtime,
    policy: Policy,
    tenant: Tenant,
    payment_id: str,
    wish: _Wish,
    create: Callable[[Tx], Awaitable[object]] | None,
) -> _ProcessorCall | Outcome | None:
    """Begin an attempt under the payment's lock, or return how it ended without one."""
    try:
        async with runtime.database.transaction() as tx:
            if create is not None:
                await create(tx)
            call = await _record_intent(tx, runtime, policy, tenant, payment_id, wish)
        if isinstance(call, _Undated):
            after = await reprice_payment(runtime, tenant, payment_id, PaymentChange())
            if revision(after) != call.revision:
                return None  # the customer sees the total with the taxes of today first
            async with runtime.database.transaction() as tx:
                dated = wish._replace(seen=call.revision, dated=True)
                call = await _record_intent(tx, runtime, policy, tenant, payment_id, dated)
    except UniqueViolation as error:
        if error.constraint != "attempts_one_live":
            raise
        return None  # a live attempt exists: the database refused a second one
    return None if isinstance(call, _Undated) else call  # midnight again, in between


async def _record_locked(runtime: Runtime, tenant: Tenant, request: ChargeRequest, outcome: Outcome) -> None:
    """Record how an attempt ended, under its payment's lock."""
    async with runtime.database.transaction() as tx:
        payment = await lock_payment(tx, tenant, request.payment_id)
        attempt = await get_attempt(tx, tenant, request.attempt_id)
        if payment is not None and attempt is not None:
            await record_payment_outcome(runtime, tx, payment, attempt, outcome, runtime.now(tenant))


async def _begin_unlocked(
    runtime: Runtime, policy: Policy, known: VersionedPayment, wish: _Wish
) -> _ProcessorCall | None:
    """Begin the first attempt at a payment that moves alone; None when it has to be locked.

    What the ladder asks of the payment is asked of it as it was read, and holds, because the attempt begins only if
    it still is the same. What it asks of others does not come up.
    """
    payment, instrument = known.payment, wish.instrument
    is_alone = moves_alone(payment) and not wish.save and not runtime.is_followed(payment)
    if not is_alone or instrument is None or isinstance(instrument, SavedChoice) or runtime.first_commit is not None:
        return None
    at = runtime.now(payment.tenant)
    processor = processor_for(find_processors(runtime, policy), payment.mode)
    if processor is None or not _is_meant(payment, wish, at) or _is_undated(payment, policy, wish, at):
        return None
    try:
        accepted = _accepted(runtime, policy, processor, instrument, payment, at)
    except (InputRefused, Problem):
        return None  # it is refused under the lock, unless the payment cannot be paid any more
    attempt = _attempt(runtime, processor, payment, accepted, wish, at)
    begun = await begin_first_attempt(runtime, known, processor, attempt, accepted.family, accepted.type)
    if begun is None:
        return None
    return _ProcessorCall(processor, _charge_request(runtime, processor, payment, attempt, accepted, wish), begun)


def _is_meant(payment: Payment, wish: _Wish, at: datetime) -> bool:
    """Return whether the payment can be paid, and by this form."""
    return is_payable(payment, at) and wish.seen in (None, revision(payment))


def _is_undated(payment: Payment, policy: Policy, wish: _Wish, at: datetime) -> bool:
    """Return whether the payment's taxes may be those of another day."""
    return policy.settings.tax != "off" and revision(payment).date() != at.date() and not wish.dated


async def _record_intent(
    tx: Tx, runtime: Runtime, policy: Policy, tenant: Tenant, payment_id: str, wish: _Wish
) -> _ProcessorCall | _Undated | Outcome | None:
    """Walk the ladder under the payment's lock; return the order to place, or how it ended without one."""
    payment = await lock_payment(tx, tenant, payment_id)
    if payment is None:
        raise Problem("NOT_FOUND", what=f"Payment {payment_id}")
    at = runtime.now(tenant)
    if not _is_meant(payment, wish, at):
        return None
    if _is_undated(payment, policy, wish, at):
        return _Undated(revision(payment))
    await check_only_subscription(tx, payment, multiple=policy.settings.multiple_subscriptions)
    if await hold_codes(tx, payment, at) != payment:
        return None  # a code was lost since the decline: the customer sees the new total first
    if payment.is_free:
        free = Succeeded("free")
        await record_payment_outcome(runtime, tx, payment, None, free, at)
        return free
    processor = processor_for(find_processors(runtime, policy), tenant.mode)
    if processor is None:
        raise Problem("UNSUPPORTED_ACTION", detail=f"No processor is configured for {tenant.mode} payments")
    await require_account(runtime, tx, tenant, processor)
    if wish.instrument is None:
        raise Problem("INVALID_REQUEST_BODY", path="number", detail="A card is needed to pay.")
    if isinstance(wish.instrument, SavedChoice):
        accepted = await _accepted_saved(tx, policy, processor, wish.instrument, payment)
    else:
        accepted = _accepted(runtime, policy, processor, wish.instrument, payment, at)
    saved = accepted.instrument.payment_method_id if isinstance(accepted.instrument, SavedMethod) else None
    attempt = _attempt(runtime, processor, payment, accepted, wish, at)
    await begin_attempt(
        tx,
        payment,
        attempt,
        payment_method=accepted.family,
        payment_method_type=accepted.type,
        payment_method_id=saved,
    )
    return _ProcessorCall(processor, _charge_request(runtime, processor, payment, attempt, accepted, wish))


def _attempt(
    runtime: Runtime, processor: Processor, payment: Payment, accepted: _Accepted, wish: _Wish, at: datetime
) -> Attempt:
    """Return the attempt that begins."""
    return Attempt(
        attempt_id=runtime.new_id("att", at),
        payment_id=payment.payment_id,
        processor=processor.name,
        account=processor.account,
        amount=payment.total_amount,
        currency=payment.currency,
        card=accepted.details,
        outcome=None,
        created_at=at,
        resolved_at=None,
        save_method=(wish.save or payment.options.keeps_method)
        and accepted.family == "card"
        and isinstance(accepted.instrument, CardInput | MethodInput | SimulatedCharge),
    )


def _charge_request(
    runtime: Runtime, processor: Processor, payment: Payment, attempt: Attempt, accepted: _Accepted, wish: _Wish
) -> ChargeRequest:
    """Return what the processor is asked for an attempt."""
    link_url = runtime.public_url if payment.link_id is None else runtime.link_url(payment.link_id)
    simulated = is_simulated(processor, payment.mode)
    return ChargeRequest(
        attempt.attempt_id,
        attempt.amount,
        attempt.currency,
        accepted.instrument,
        wish.return_url or link_url,
        keep_card=attempt.save_method,
        customer_present=wish.customer_present,
        force_3ds=payment.options.force_3ds,
        email=payment.customer.email,
        business_id=payment.business_id,
        payment_id=payment.payment_id,
        scenario=payment.metadata.get(METADATA_KEY) if simulated else None,
        renewal=payment.options.renewal if simulated else None,
    )


def _usable_cards(payment: Payment, policy: Policy) -> frozenset[str]:
    """Return the kinds of cards that can pay: the allow-list and the seller's settings may leave out one or both."""
    allowed = payment.options.allowed_payment_method_types
    usable = CARD_TYPES if allowed is None else CARD_TYPES.intersection(allowed)
    return usable - policy.settings.disabled_payment_methods


async def _accepted_saved(
    tx: Tx, policy: Policy, processor: Processor, choice: SavedChoice, payment: Payment
) -> _Accepted:
    """Return what is charged. Raises Problem NOT_FOUND or NO_ELIGIBLE_PAYMENT_METHODS."""
    customer_id, usable = payment.customer.customer_id, _usable_cards(payment, policy)
    method = await require_saved_method(
        tx, payment.tenant, customer_id, choice.payment_method_id, processor, payment.currency, usable
    )
    return _Accepted(method, method.card, "card", method.payment_method_type)


def _accepted(
    runtime: Runtime,
    policy: Policy,
    processor: Processor,
    instrument: CardInput | MethodInput | SimulatedCharge,
    payment: Payment,
    at: datetime,
) -> _Accepted:
    """Return what is charged of what the customer typed, and what may be kept of it.

    Raises InputRefused when the processor or the payment does not take it.
    """
    if isinstance(instrument, MethodInput):
        return _accepted_method(runtime, policy, processor, instrument, payment)
    if not is_simulated(processor, payment.mode):
        raise Problem("UNSUPPORTED_ACTION", detail=f"A card for {processor.name} is never typed here")
    typed = instrument.card if isinstance(instrument, SimulatedCharge) else instrument
    details = without_its_words(processor, lambda: processor.describe(typed, at))
    kind, usable = method_type(details), _usable_cards(payment, policy)
    if kind not in usable:
        raise CardRefused("number", f"only_{min(usable)}_cards" if usable else "method_unavailable")
    if not takes(details, payment.currency):
        raise CardRefused("number", "card_currency")
    return _Accepted(instrument, details, "card", kind)


def _accepted_method(
    runtime: Runtime, policy: Policy, processor: Processor, method: MethodInput, payment: Payment
) -> _Accepted:
    """Return what is charged. Raises InputRefused when the payment is not offered the method, or for its input."""
    known = methods.get(method.type)
    context = build_method_context(
        policy,
        find_runnable_methods(runtime, policy, payment.mode),
        country=payment.billing.country,
        currency=payment.currency,
        total=payment.total_amount,
        for_business=payment.options.tax_id is not None,
        allowed=payment.options.allowed_payment_method_types,
    )
    if not decide(known, context).offered:
        raise InputRefused("method", "method_unavailable")
    without_its_words(processor, lambda: processor.check(method))
    return _Accepted(method, None, known.family, known.type)


async def _charge(call: _ProcessorCall) -> Outcome:
    """Order the charge. Unknown says that the money may have been taken."""
    processor, request, _ = call
    return await ask_processor(
        processor,
        lambda asked: asked.charge(request),
        CHARGE_TIMEOUT,
        "charge_in_doubt",
        attempt_id=request.attempt_id,
    )
