"""Delete the sessions of the customer portal that have ended: nothing can be done with them any more."""

from nicobar.core.business.business_clock import Reckoning
from nicobar.flows.business_time.list_reckonings import list_reckonings
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.purge_in_rounds import purge_in_rounds
from nicobar.storage.customers import portal_sessions
from nicobar.storage.database import Tx


async def purge_portal_sessions(runtime: Runtime) -> None:
    """Delete what has ended, as far as one round goes."""
    for reckoning in await list_reckonings(runtime):

        async def delete(tx: Tx, limit: int, reckoning: Reckoning = reckoning) -> int:
            return await portal_sessions.purge_portal_sessions(tx, reckoning, limit)

        await purge_in_rounds(runtime, delete)
