"""Ask the processor how a dispute stands, and record the answer."""

from typing import NamedTuple

import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.core.disputes.dispute import DisputeFacts
from nicobar.core.payments.payment import Attempt, Succeeded, Unknown
from nicobar.flows.accounts.ask_processor import ANSWER_TIMEOUT, ask_processor
from nicobar.flows.accounts.find_processor_of import find_processor_of
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.disputes.record_dispute import record_dispute
from nicobar.flows.payments.ask_about_attempt import ask_about_attempt
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Processor
from nicobar.storage.payments.attempts import get_attempt

_log = structlog.get_logger(__name__)


class _Disputed(NamedTuple):
    """A dispute as its account tells it, and the attempt whose charge it is about."""

    facts: DisputeFacts
    attempt: Attempt


async def ask_about_dispute(
    runtime: Runtime, tenant: Tenant, processor_name: str, account: str, reference: str
) -> bool:
    """Record how a dispute stands; False when the processor could not answer, and it has to be asked again.

    `reference` is the processor's own id of the dispute, and `account` the account that told of it. One that is not
    about a charge of ours counts as answered; that is so when the other accounts do not know it either, because
    several may sign their notices with one secret. A charge that is disputed has taken money: when we do not know that
    yet, the attempt is queried first, so that the payment succeeds before its money leaves again.
    """
    policy, asked_at = await load_policy(runtime, tenant), runtime.real_now()
    own = [stored.account for stored in policy.accounts if stored.processor == processor_name]
    found = await _ask(runtime, tenant, find_processor_of(runtime, policy, processor_name, account), reference)
    if isinstance(found, Unknown):
        return False
    for other in own:
        if found is None and other != account:
            asked_at = runtime.real_now()
            answer = await _ask(runtime, tenant, find_processor_of(runtime, policy, processor_name, other), reference)
            found = None if isinstance(answer, Unknown) else answer
    if found is None:
        _log.warning("dispute_about_nothing", processor=processor_name, dispute=reference)
        return True
    attempt: Attempt | None = found.attempt
    if not isinstance(found.attempt.outcome, Succeeded):
        await ask_about_attempt(runtime, tenant, found.attempt)
        async with runtime.database.read() as read:
            attempt = await get_attempt(read, tenant, found.attempt.attempt_id)
    if attempt is None or not isinstance(attempt.outcome, Succeeded):
        return False
    await record_dispute(runtime, tenant, attempt, found.facts, asked_at)
    return True


async def _ask(
    runtime: Runtime, tenant: Tenant, processor: Processor | None, reference: str
) -> _Disputed | Unknown | None:
    """Return what an account says; None when it does not know the dispute, or that is about no charge of ours there."""
    if processor is None:
        _log.warning("processor_not_configured", dispute=reference)
        return Unknown("processor not configured")
    facts = await ask_processor(
        processor,
        lambda asked: asked.find_dispute(reference),
        ANSWER_TIMEOUT,
        "dispute_in_doubt",
        dispute=reference,
    )
    if facts is None or isinstance(facts, Unknown):
        return facts
    async with runtime.database.read() as read:
        attempt = await get_attempt(read, tenant, facts.attempt_id)
    if attempt is None or (attempt.processor, attempt.account) != (processor.name, processor.account):
        return None
    return _Disputed(facts, attempt)
