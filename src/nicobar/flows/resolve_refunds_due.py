"""Ask about every refund that nothing was heard of for a while, a bounded number at a time."""

import asyncio
from datetime import datetime
from typing import Final

from nicobar.flows.ask_about_attempt import SILENCE
from nicobar.flows.resolve_refund import resolve_refund
from nicobar.flows.runtime import Runtime
from nicobar.storage.refunds import silent_refunds

BATCH: Final = 20
"""Refunds that one round asks about. Each claims its turn, so the next round takes the next ones."""


async def resolve_refunds_due(runtime: Runtime, now: datetime) -> int:
    """Ask about the refunds that have been silent the longest, at most `BATCH`; return how many were looked at."""
    async with runtime.database.read() as read:
        silent = await silent_refunds(read, now - SILENCE, BATCH)
    await asyncio.gather(*(resolve_refund(runtime, tenant, refund_id) for tenant, refund_id in silent))
    return len(silent)
