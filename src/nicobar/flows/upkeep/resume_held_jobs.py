"""Put jobs back into the queue that the library could not put back itself."""

import structlog

from nicobar.flows.runtime import Runtime
from nicobar.storage.notices.queue import resume_held

_log = structlog.get_logger(__name__)


async def resume_held_jobs(runtime: Runtime) -> int:
    """Let the jobs run again whose next try PostgreSQL refused to note, as with a full disk; return how many."""
    async with runtime.database.statement() as tx:
        count = await resume_held(tx)
    if count:
        _log.warning("jobs_resumed", count=count)
    return count
