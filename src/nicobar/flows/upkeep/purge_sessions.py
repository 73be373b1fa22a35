"""Delete sessions that never came to a payment, some time after their deadline."""

from typing import Final

from nicobar.core.sessions.checkout_session import KEPT_UNPAID
from nicobar.flows.business_time.list_reckonings import list_reckonings
from nicobar.flows.runtime import Runtime
from nicobar.storage.sessions import sessions

_AT_ONCE: Final = 2_000
"""Rows that one statement deletes at most."""

_ROUNDS: Final = 20
"""Statements that one call runs at most: the sweep has other things to do."""


async def purge_sessions(runtime: Runtime) -> None:
    """Delete what nobody can read any more, as far as one round goes. A session with a payment stays as that does."""
    for reckoning in await list_reckonings(runtime):
        for _ in range(_ROUNDS):
            async with runtime.database.statement() as tx:
                deleted = await sessions.purge_sessions(tx, reckoning, KEPT_UNPAID, _AT_ONCE)
            if deleted < _AT_ONCE:
                break
