"""Delete sessions that never came to a payment, some time after their deadline."""

from nicobar.core.business.business_clock import Reckoning
from nicobar.core.sessions.checkout_session import KEPT_UNPAID
from nicobar.flows.business_time.list_reckonings import list_reckonings
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.purge_in_rounds import purge_in_rounds
from nicobar.storage.database import Tx
from nicobar.storage.sessions import sessions


async def purge_sessions(runtime: Runtime) -> None:
    """Delete what nobody can read any more, as far as one round goes. A session with a payment stays as that does."""
    for reckoning in await list_reckonings(runtime):

        async def delete(tx: Tx, limit: int, reckoning: Reckoning = reckoning) -> int:
            return await sessions.purge_sessions(tx, reckoning, KEPT_UNPAID, limit)

        await purge_in_rounds(runtime, delete)
