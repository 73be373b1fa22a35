"""A move of a test clock that waits on its way, so that a test can do something meanwhile."""

import asyncio
from datetime import datetime, timedelta

import pytest

from nicobar.flows.test_mode import advance_clock
from nicobar.storage.database import Read
from nicobar.storage.test_mode.due_moments import Due, next_due


class HeldWalk:
    """Holds every move before its first step until it `goes_on`; `begun` is set once one has come there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.goes_on = asyncio.Event(), asyncio.Event()
        monkeypatch.setattr(advance_clock, "next_due", self._next_due)

    async def _next_due(self, read: Read, business_id: str, until: datetime, silence: timedelta) -> Due | None:
        self.begun.set()
        await self.goes_on.wait()
        return await next_due(read, business_id, until, silence)
