"""Ask the processor how a dispute stands, and record the answer."""

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


async def ask_about_dispute(
    runtime: Runtime, tenant: Tenant, processor_name: str, account: str, reference: str
) -> bool:
    """Record how a dispute stands; False when the processor could not answer, and it has to be asked again.

    `reference` is the processor's own id of the dispute, and `account` the account whose charge is disputed. One that
    is not about a charge of ours counts as answered. A charge that is disputed has taken money: when we do not know
    that yet, the attempt is queried first, so that the payment succeeds before its money leaves again.
    """
    processor = find_processor_of(runtime, await load_policy(runtime, tenant), processor_name, account)
    if processor is None:
        _log.warning("processor_not_configured", processor=processor_name, dispute=reference)
        return False
    asked_at = runtime.real_now()
    facts = await ask_processor(
        processor,
        lambda asked: asked.find_dispute(reference),
        ANSWER_TIMEOUT,
        "dispute_in_doubt",
        dispute=reference,
    )
    if isinstance(facts, Unknown):
        return False
    attempt = None if facts is None else await _attempt(runtime, tenant, processor, facts)
    if facts is None or attempt is None:
        _log.warning("dispute_about_nothing", processor=processor_name, dispute=reference)
        return True
    if not isinstance(attempt.outcome, Succeeded):
        await ask_about_attempt(runtime, tenant, attempt)
        attempt = await _attempt(runtime, tenant, processor, facts)
        if attempt is None or not isinstance(attempt.outcome, Succeeded):
            return False
    await record_dispute(runtime, tenant, attempt, facts, asked_at)
    return True


async def _attempt(runtime: Runtime, tenant: Tenant, processor: Processor, facts: DisputeFacts) -> Attempt | None:
    """Return the attempt whose charge is disputed, if it is one of this tenant, made with this account."""
    async with runtime.database.read() as read:
        attempt = await get_attempt(read, tenant, facts.attempt_id)
    asked = (processor.name, processor.account)
    return attempt if attempt is not None and (attempt.processor, attempt.account) == asked else None
