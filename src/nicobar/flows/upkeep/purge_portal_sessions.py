"""Delete the sessions of the customer portal that have ended: nothing can be done with them any more."""

from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.purge_in_rounds import purge_in_rounds
from nicobar.storage.customers import portal_sessions


async def purge_portal_sessions(runtime: Runtime) -> None:
    """Delete what has ended, as far as one round goes."""
    await purge_in_rounds(
        runtime, lambda tx, limit: portal_sessions.purge_portal_sessions(tx, runtime.real_now(), limit)
    )
