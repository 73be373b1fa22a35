"""Ask the processor what happened to an attempt whose end is not known: after a time-out, a crash, a challenge."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

import structlog

from nicobar.core.payment import Attempt, Declined, NeedsAction, Outcome, Pending, Unknown
from nicobar.core.tenant import Tenant
from nicobar.core.three_ds import failed
from nicobar.flows.record_outcome import record_outcome
from nicobar.flows.runtime import Runtime
from nicobar.reference import failures
from nicobar.storage.attempts import claim_attempt, claim_question, get_attempt, live_attempt
from nicobar.storage.payments import lock_payment

_log = structlog.get_logger(__name__)

SILENCE: Final = timedelta(seconds=60)
"""How long nothing was heard of an attempt before the processor is asked. It is longer than a charge may take
(`CHARGE_TIMEOUT`), so "never heard of it" then means that the order cannot arrive any more."""

PAUSE: Final = timedelta(seconds=3)
"""How often a customer who keeps coming back makes us ask: after the first three times, once in so long."""

FIND_TIMEOUT: Final = 10.0
"""Seconds that a processor may take to look an attempt up."""


async def resolve_attempt(runtime: Runtime, tenant: Tenant, payment_id: str, *, came_back: bool = False) -> bool:
    """Ask about the payment's live attempt, if it has one, and record the answer.

    With `came_back` (the customer returned from a page of the processor, or says so) the processor is asked at once,
    unless it was asked just now (`PAUSE`); otherwise only after `SILENCE`, and by one of all that ask at that moment.
    Return False when the processor would have had to be asked again and was spared: its answer may have changed.
    """
    now = runtime.clock.now()
    async with runtime.database.read() as read:
        attempt = await live_attempt(read, tenant, payment_id)
    if attempt is None:
        return True
    if not await _may_ask(runtime, tenant, attempt, now, came_back=came_back):
        return False
    outcome = await _ask(runtime, attempt, now)
    async with runtime.database.transaction() as tx:
        payment = await lock_payment(tx, tenant, payment_id)
        stored = await get_attempt(tx, tenant, attempt.attempt_id)
        if payment is not None and stored is not None and outcome != stored.outcome:
            await record_outcome(tx, payment, stored, outcome, runtime.clock.now())
    return True


async def _may_ask(runtime: Runtime, tenant: Tenant, attempt: Attempt, now: datetime, *, came_back: bool) -> bool:
    async with runtime.database.statement() as tx:
        if came_back and isinstance(attempt.outcome, NeedsAction | Pending):
            return await claim_question(tx, tenant, attempt.attempt_id, now, PAUSE)
        return await claim_attempt(tx, tenant, attempt.attempt_id, now - SILENCE, now)


async def _ask(runtime: Runtime, attempt: Attempt, now: datetime) -> Outcome:
    """Return the processor's answer; a failure to answer is Unknown, which changes nothing."""
    processor = runtime.processors.get(attempt.processor)
    if processor is None:
        _log.warning("processor_not_configured", attempt_id=attempt.attempt_id, processor=attempt.processor)
        return Unknown("processor not configured")
    try:
        async with asyncio.timeout(FIND_TIMEOUT):
            found = await processor.find(attempt.attempt_id)
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
        why = type(error).__name__
        _log.warning("attempt_in_doubt", attempt_id=attempt.attempt_id, processor=attempt.processor, why=why)
        return Unknown(why)
    if found is not None:
        return found
    if now - attempt.created_at < SILENCE:
        return Unknown("the order may still be on its way")
    if not isinstance(attempt.outcome, NeedsAction):
        failure = failures.get("NETWORK_TIMEOUT")
        return Declined(failure.code, failure.error_message)
    failure = failures.get("AUTHENTICATION_TIMEOUT")
    return Declined(failure.code, failure.error_message, three_ds=failed(attempt.outcome.three_ds))
