"""Works on what is due, here and now, without the worker's waiting."""

from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.put_off_work import put_off_work
from nicobar.storage.due_work import pause_after
from nicobar.worker.kinds import KINDS


async def run_due(runtime: Runtime) -> int:
    """Take all that is due by the runtime's clock, work on each row once, and return how many there were.

    What the worker would log, a test has to see: exceptions are raised. What was taken is due again after the lease.
    """
    count = 0
    for kind in KINDS:
        while claims := await kind.claim(runtime, kind.rows, {}):
            for claim in claims:
                if not await kind.handle(runtime, claim.tenant, *claim.key):
                    await put_off_work(runtime, kind.rows, claim, pause_after(claim.tries))
                count += 1
    return count
