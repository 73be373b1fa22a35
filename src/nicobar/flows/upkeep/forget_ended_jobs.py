"""Clear away what was noted about jobs long ago."""

from datetime import timedelta
from typing import Final

from nicobar.flows.runtime import Runtime
from nicobar.storage.notices.queue import forget_ended

KEPT: Final = timedelta(days=7)
"""For how long one can look up what became of a job."""


async def forget_ended_jobs(runtime: Runtime) -> None:
    """Delete notes about jobs that ended, which are older than `KEPT`."""
    async with runtime.database.statement() as tx:
        await forget_ended(tx, KEPT)
