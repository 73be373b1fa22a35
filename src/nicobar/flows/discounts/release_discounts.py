"""Give back the uses of discount codes that payments held and did not pay for."""

from typing import Final

from nicobar.core.business.business_clock import Reckoning
from nicobar.flows.business_time.list_reckonings import list_reckonings
from nicobar.flows.runtime import Runtime
from nicobar.storage.discounts.redemptions import release_expired

BATCH: Final = 500
"""Uses that one transaction gives back, so that none holds its locks for long."""

ROUNDS: Final = 20
"""Transactions of one sweep; what is left then waits for the next."""


async def release_discounts(runtime: Runtime, only: Reckoning | None = None) -> int:
    """Give back the reserved uses of cancelled and of failed payments whose link has ended; return how many.

    It goes by whose time it is, as for `expire_payments`.
    """
    reckonings = await list_reckonings(runtime) if only is None else [only]
    return sum([await _release(runtime, reckoning) for reckoning in reckonings])


async def _release(runtime: Runtime, reckoning: Reckoning) -> int:
    released = 0
    for _ in range(ROUNDS):
        async with runtime.database.statement() as tx:
            batch = await release_expired(tx, reckoning, BATCH)
        released += batch
        if batch < BATCH:
            break
    return released
