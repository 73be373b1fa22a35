"""Ask the processor what became of an attempt, and record the answer."""

from datetime import datetime, timedelta
from typing import Final

import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Attempt, Declined, NeedsAction, Outcome, Unknown
from nicobar.core.payments.three_ds import failed
from nicobar.flows.accounts.ask_processor import ANSWER_TIMEOUT, ask_processor
from nicobar.flows.accounts.find_processor_of import find_processor_of
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Processor
from nicobar.reference import failures
from nicobar.storage.payments.attempts import get_attempt
from nicobar.storage.payments.payments import lock_payment

_log = structlog.get_logger(__name__)

SILENCE: Final = timedelta(seconds=60)
"""How long an attempt may be silent before it is given up. It is longer than a charge may take (`CHARGE_TIMEOUT`),
so "never heard of it" then means that the order will not arrive any more."""


async def ask_about_attempt(runtime: Runtime, tenant: Tenant, attempt: Attempt) -> Outcome:
    """Return what the processor says about an attempt, after it was recorded.

    A failure to answer is Unknown, which changes nothing. An attempt that the processor has never heard of is closed
    there once it has been silent for `SILENCE`, so that it cannot take money later, and counts as declined.
    """
    outcome = await _ask(runtime, tenant, attempt, runtime.now(tenant))
    if isinstance(outcome, Unknown):
        return outcome
    async with runtime.database.transaction() as tx:
        payment = await lock_payment(tx, tenant, attempt.payment_id)
        stored = await get_attempt(tx, tenant, attempt.attempt_id)
        if payment is not None and stored is not None and outcome != stored.outcome:
            await record_payment_outcome(runtime, tx, payment, stored, outcome, runtime.now(tenant))
    return outcome


async def _ask(runtime: Runtime, tenant: Tenant, attempt: Attempt, now: datetime) -> Outcome:
    processor = find_processor_of(runtime, await load_policy(runtime, tenant), attempt.processor, attempt.account)
    if processor is None:
        _log.warning("processor_not_configured", attempt_id=attempt.attempt_id, processor=attempt.processor)
        return Unknown("processor not configured")

    async def find_or_close(asked: Processor) -> Outcome | None:
        found = await asked.find(attempt)
        if found is None and now - attempt.created_at >= SILENCE:
            found = await _close(asked, attempt)
        return found

    found = await ask_processor(
        processor, find_or_close, ANSWER_TIMEOUT, "attempt_in_doubt", attempt_id=attempt.attempt_id
    )
    return found or Unknown("the order may still be on its way")


async def _close(asked: Processor, attempt: Attempt) -> Outcome:
    """End an attempt that the processor has never heard of, and return how it counts."""
    late = await asked.cancel(attempt)
    if late is not None:
        return late
    if not isinstance(attempt.outcome, NeedsAction):
        failure = failures.get("NETWORK_TIMEOUT")
        return Declined(failure.code, failure.error_message)
    failure = failures.get("AUTHENTICATION_TIMEOUT")
    return Declined(failure.code, failure.error_message, three_ds=failed(attempt.outcome.three_ds))
