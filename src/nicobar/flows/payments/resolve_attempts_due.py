"""Query every attempt that has been silent for a while, a bounded number at a time."""

from datetime import datetime
from functools import partial
from typing import Final

from nicobar.core.business.business_clock import Reckoning
from nicobar.flows.business_time.list_reckonings import list_reckonings
from nicobar.flows.payments.ask_about_attempt import SILENCE
from nicobar.flows.payments.resolve_attempt import resolve_attempt
from nicobar.flows.payments.resolve_each import resolve_each
from nicobar.flows.runtime import Runtime
from nicobar.storage.payments.attempts import silent_payments

BATCH: Final = 20
"""Attempts that one round queries. Each claims its turn, so the next round takes the next ones."""


async def resolve_attempts_due(runtime: Runtime, now: datetime, only: Reckoning | None = None) -> int:
    """Query the attempts that have been silent the longest, at most `BATCH`; return how many were looked at.

    One that cannot be resolved is logged and keeps no other one waiting. Raises DatabaseUnavailable.
    """
    reckonings = await list_reckonings(runtime, now) if only is None else [only]
    return sum([await _resolve(runtime, reckoning) for reckoning in reckonings])


async def _resolve(runtime: Runtime, reckoning: Reckoning) -> int:
    async with runtime.database.read() as read:
        silent = await silent_payments(read, reckoning, SILENCE, BATCH)
    return await resolve_each(silent, partial(resolve_attempt, runtime), "attempt_not_resolved", "payment_id")
