"""Query every refund that has been silent for a while, a bounded number at a time."""

from datetime import datetime
from functools import partial
from typing import Final

from nicobar.core.business.business_clock import Reckoning
from nicobar.flows.business_time.list_reckonings import list_reckonings
from nicobar.flows.payments.ask_about_attempt import SILENCE
from nicobar.flows.payments.resolve_each import resolve_each
from nicobar.flows.refunds.resolve_refund import resolve_refund
from nicobar.flows.runtime import Runtime
from nicobar.storage.refunds.refunds import silent_refunds

BATCH: Final = 20
"""Refunds that one round queries. Each claims its turn, so the next round takes the next ones."""


async def resolve_refunds_due(runtime: Runtime, now: datetime, only: Reckoning | None = None) -> int:
    """Query the refunds that have been silent the longest, at most `BATCH`; return how many were looked at.

    One that cannot be resolved is logged and keeps no other one waiting. Raises DatabaseUnavailable.
    """
    reckonings = await list_reckonings(runtime, now) if only is None else [only]
    return sum([await _resolve(runtime, reckoning) for reckoning in reckonings])


async def _resolve(runtime: Runtime, reckoning: Reckoning) -> int:
    async with runtime.database.read() as read:
        silent = await silent_refunds(read, reckoning, SILENCE, BATCH)
    return await resolve_each(silent, partial(resolve_refund, runtime), "refund_not_resolved", "refund_id")
