"""Find out how an attempt ended that is still in doubt: after a time-out, a crash, a challenge."""

from datetime import datetime, timedelta
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.payment import Attempt, NeedsAction, Pending
from nicobar.flows.payments.ask_about_attempt import SILENCE, ask_about_attempt
from nicobar.flows.runtime import Runtime
from nicobar.storage.payments.attempts import claim_attempt, claim_question, live_attempt

PAUSE: Final = timedelta(seconds=3)
"""How often a customer who keeps coming back makes us ask: after the first three times, once in so long."""


async def resolve_attempt(runtime: Runtime, tenant: Tenant, payment_id: str, *, came_back: bool = False) -> bool:
    """Query the payment's live attempt, if it has one, and record the answer.

    With `came_back` (the customer returned from a page of the processor, or says so) the processor is asked at once,
    unless it was asked just now (`PAUSE`); otherwise only after `SILENCE`, and by one of all that ask at that moment.
    Return False when the processor would have had to be asked again and was spared: its answer may have changed.
    """
    now = runtime.now(tenant)
    async with runtime.database.read() as read:
        attempt = await live_attempt(read, tenant, payment_id)
    if attempt is None:
        return True
    if not await _may_ask(runtime, tenant, attempt, now, came_back=came_back):
        return False
    await ask_about_attempt(runtime, tenant, attempt)
    return True


async def _may_ask(runtime: Runtime, tenant: Tenant, attempt: Attempt, now: datetime, *, came_back: bool) -> bool:
    async with runtime.database.statement() as tx:
        if came_back and isinstance(attempt.outcome, NeedsAction | Pending):
            return await claim_question(tx, tenant, attempt.attempt_id, now, PAUSE)
        return await claim_attempt(tx, tenant, attempt.attempt_id, now - SILENCE, now)
