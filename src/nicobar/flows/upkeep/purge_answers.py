"""Delete kept answers that have expired."""

from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.purge_in_rounds import purge_in_rounds
from nicobar.storage.retries import kept_answers


async def purge_answers(runtime: Runtime) -> None:
    """Delete what has expired, as far as one round goes."""
    await purge_in_rounds(runtime, lambda tx, limit: kept_answers.purge_answers(tx, runtime.real_now(), limit))
