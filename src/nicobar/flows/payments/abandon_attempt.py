"""The customer wants to pay in another way: give up the attempt that waits for them at the processor."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import NeedsAction, Unknown
from nicobar.flows.accounts.ask_processor import ANSWER_TIMEOUT, ask_processor
from nicobar.flows.accounts.find_processor_of import find_processor_of
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.payments.record_payment_outcome import record_payment_outcome
from nicobar.flows.runtime import Runtime
from nicobar.storage.payments.attempts import get_attempt, live_attempt
from nicobar.storage.payments.payments import lock_payment


async def abandon_attempt(runtime: Runtime, tenant: Tenant, payment_id: str) -> None:
    """Close the payment's live attempt at the processor, if it waits for its customer, and record what became of it.

    It may have been paid in this very moment: then the payment succeeds. When the processor does not answer, nothing
    changes.
    """
    async with runtime.database.read() as read:
        attempt = await live_attempt(read, tenant, payment_id)
    if attempt is None or not isinstance(attempt.outcome, NeedsAction):
        return
    processor = find_processor_of(runtime, await load_policy(runtime, tenant), attempt.processor, attempt.account)
    if processor is None:
        return
    outcome = await ask_processor(
        processor,
        lambda asked: asked.cancel(attempt),
        ANSWER_TIMEOUT,
        "attempt_not_closed",
        attempt_id=attempt.attempt_id,
    )
    if outcome is None or isinstance(outcome, Unknown):
        return
    async with runtime.database.transaction() as tx:
        payment = await lock_payment(tx, tenant, payment_id)
        stored = await get_attempt(tx, tenant, attempt.attempt_id)
        if payment is not None and stored is not None and outcome != stored.outcome:
            await record_payment_outcome(runtime, tx, payment, stored, outcome, runtime.now(tenant))
