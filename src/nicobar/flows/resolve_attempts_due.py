"""Ask about every attempt that nothing was heard of for a while, a bounded number at a time."""

import asyncio
from datetime import datetime
from typing import Final

from nicobar.flows.ask_about_attempt import SILENCE
from nicobar.flows.resolve_attempt import resolve_attempt
from nicobar.flows.runtime import Runtime
from nicobar.storage.attempts import silent_payments

BATCH: Final = 20
"""Attempts that one round asks about. Each claims its turn, so the next round takes the next ones."""


async def resolve_attempts_due(runtime: Runtime, now: datetime) -> int:
    """Ask about the attempts that have been silent the longest, at most `BATCH`; return how many were looked at."""
    async with runtime.database.read() as read:
        silent = await silent_payments(read, now - SILENCE, BATCH)
    await asyncio.gather(*(resolve_attempt(runtime, tenant, payment_id) for tenant, payment_id in silent))
    return len(silent)
