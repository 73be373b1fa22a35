"""Delete the sessions of the customer portal that have ended: nothing can be done with them any more."""

from typing import Final

from nicobar.flows.business_time.list_reckonings import list_reckonings
from nicobar.flows.runtime import Runtime
from nicobar.storage.customers import portal_sessions

_AT_ONCE: Final = 2_000
"""Rows that one statement deletes at most."""

_ROUNDS: Final = 20
"""Statements that one call runs at most: the sweep has other things to do."""


async def purge_portal_sessions(runtime: Runtime) -> None:
    """Delete what has ended, as far as one round goes."""
    for reckoning in await list_reckonings(runtime):
        for _ in range(_ROUNDS):
            async with runtime.database.statement() as tx:
                deleted = await portal_sessions.purge_portal_sessions(tx, reckoning, _AT_ONCE)
            if deleted < _AT_ONCE:
                break
