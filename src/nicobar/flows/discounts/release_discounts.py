"""Give back the uses of discount codes that payments held and did not pay for."""

from typing import Final

from nicobar.flows.runtime import Runtime
from nicobar.storage.discounts.redemptions import release_expired

BATCH: Final = 500
"""Uses that one transaction gives back, so that none holds its locks for long."""

ROUNDS: Final = 20
"""Transactions of one sweep; what is left then waits for the next."""


async def release_discounts(runtime: Runtime) -> int:
    """Give back the reserved uses of cancelled and of failed payments whose link has ended; return how many.

    One query finds those of all tenants by the real time, as for `expire_payments`.
    """
    released = 0
    for _ in range(ROUNDS):
        async with runtime.database.statement() as tx:
            batch = await release_expired(tx, runtime.real_now(), BATCH)
        released += batch
        if batch < BATCH:
            break
    return released
