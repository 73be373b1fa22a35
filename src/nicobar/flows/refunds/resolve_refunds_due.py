"""Ask about every refund that nothing was heard of for a while, a bounded number at a time."""

import asyncio
from datetime import datetime
from typing import Final

import structlog

from nicobar.flows.payments.ask_about_attempt import SILENCE
from nicobar.flows.refunds.resolve_refund import resolve_refund
from nicobar.flows.runtime import Runtime
from nicobar.storage.database import DatabaseUnavailable
from nicobar.storage.refunds.refunds import silent_refunds

_log = structlog.get_logger(__name__)

BATCH: Final = 20
"""Refunds that one round asks about. Each claims its turn, so the next round takes the next ones."""


async def resolve_refunds_due(runtime: Runtime, now: datetime) -> int:
    """Ask about the refunds that have been silent the longest, at most `BATCH`; return how many were looked at.

    One that cannot be settled, because of a bug or of a row that somebody changed, is logged and keeps no other one
    waiting. Raises DatabaseUnavailable.
    """
    async with runtime.database.read() as read:
        silent = await silent_refunds(read, now - SILENCE, BATCH)
    asked = (resolve_refund(runtime, tenant, refund_id) for tenant, refund_id in silent)
    for (_, refund_id), answer in zip(silent, await asyncio.gather(*asked, return_exceptions=True), strict=True):
        if isinstance(answer, Exception) and not isinstance(answer, DatabaseUnavailable):
            _log.error("refund_not_resolved", refund_id=refund_id, exc_info=answer)
        elif isinstance(answer, BaseException):
            raise answer
    return len(silent)
