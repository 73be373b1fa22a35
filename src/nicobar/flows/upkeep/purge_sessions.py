"""Delete sessions that never came to a payment, some time after their deadline."""

from nicobar.core.sessions.checkout_session import KEPT_UNPAID
from nicobar.flows.runtime import Runtime
from nicobar.flows.upkeep.purge_in_rounds import purge_in_rounds
from nicobar.storage.sessions import sessions


async def purge_sessions(runtime: Runtime) -> None:
    """Delete what nobody can read any more, as far as one round goes. A session with a payment stays as that does."""
    await purge_in_rounds(
        runtime, lambda tx, limit: sessions.purge_sessions(tx, runtime.real_now() - KEPT_UNPAID, limit)
    )
