"""Works off the jobs that wait in the queue, here and now, without the library's worker."""

from nicobar.flows.runtime import Runtime
from nicobar.worker.jobs import JOBS


async def run_jobs(runtime: Runtime) -> int:
    """Run each job that waits once, whenever it is due; delete those that are done, and return how many ran."""
    async with runtime.database.read() as read:
        jobs = await read.fetch("SELECT id, entrypoint, payload FROM pgqueuer ORDER BY id")
    for job in jobs:
        if await JOBS[job["entrypoint"]](runtime, job["payload"]):
            async with runtime.database.read() as read:
                await read.execute("DELETE FROM pgqueuer WHERE id = $1", job["id"])
    return len(jobs)
