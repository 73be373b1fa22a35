"""Ask the processor how a dispute stands, and record the answer."""

from typing import NamedTuple

import structlog

from nicobar.core.business.tenant import Tenant
from nicobar.core.disputes.dispute import DisputeFacts
from nicobar.core.payments.payment import Attempt, Succeeded, Unknown
from nicobar.core.pricing.policy import Policy
from nicobar.flows.accounts.ask_processor import ANSWER_TIMEOUT, ask_processor
from nicobar.flows.accounts.find_processor_of import find_processor_of
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.disputes.record_dispute import record_dispute
from nicobar.flows.payments.ask_about_attempt import ask_about_attempt
from nicobar.flows.runtime import Runtime
from nicobar.processors.base import Processor
from nicobar.storage.payments.attempts import get_attempt
from nicobar.vault import VaultError

_log = structlog.get_logger(__name__)


class _Disputed(NamedTuple):
    """A dispute as its account tells it, and the attempt whose charge it is about."""

    facts: DisputeFacts
    attempt: Attempt


async def ask_about_dispute(
    runtime: Runtime, tenant: Tenant, processor_name: str, account: str, reference: str
) -> bool:
    """Record how a dispute stands; False when the processor could not answer, and it has to be asked again.

    `reference` is the processor's own id of the dispute, and `account` the account that told of it, unless it was
    another one that signs its notices with the same secret. One that is not about a charge of ours counts as answered
    once all of these have said so. A charge that is disputed has taken money: when we do not know that yet, the
    attempt is queried first, so that the payment succeeds before its money leaves again.
    """
    policy = await load_policy(runtime, tenant)
    found: _Disputed | None = None
    in_doubt = False
    for sender, counts in _senders(runtime, policy, processor_name, account).items():
        asked_at = runtime.real_now()
        answer = await _ask(runtime, tenant, find_processor_of(runtime, policy, processor_name, sender), reference)
        if isinstance(answer, _Disputed):
            found = answer
            break
        in_doubt = in_doubt or (counts and isinstance(answer, Unknown))
    if found is None and in_doubt:
        return False
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


def _senders(runtime: Runtime, policy: Policy, processor_name: str, account: str) -> dict[str, bool]:
    """Return the accounts that are asked, and of each whether nothing is decided until it has answered.

    That is so of the account whose signature fitted, of those that sign with the same secret, and of one whose secret
    cannot be decrypted. The others are asked too, because a secret may have been corrected since the notice came.
    """
    own = {stored.account: stored for stored in policy.accounts if stored.processor == processor_name}
    sender, senders = own.pop(account, None), {account: True}
    for name, other in own.items():
        try:
            senders[name] = (
                sender is not None
                and runtime.accounts is not None
                and runtime.accounts.share_signing_secret(sender, other)
            )
        except VaultError:
            senders[name] = True
    return senders


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
