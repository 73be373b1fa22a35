"""Take work that is due, so that no other worker does meanwhile."""

from datetime import timedelta
from typing import Final

from nicobar.flows.business_time.list_reckonings import list_reckonings
from nicobar.flows.runtime import Runtime
from nicobar.storage.due_work import Claim, DueRows, claim_due

LEASE: Final = timedelta(seconds=60)
"""How long taken work belongs to its worker. What a dead one had taken is taken again after that."""


async def claim_due_work(runtime: Runtime, rows: DueRows, limit: int) -> list[Claim]:
    """Return at most `limit` rows that are due, the longest due first. They belong to the caller for `LEASE`."""
    claims: list[Claim] = []
    for reckoning in await list_reckonings(runtime):
        left = limit - len(claims)
        if left > 0:
            async with runtime.database.statement() as tx:
                claims += await claim_due(tx, rows, reckoning, reckoning.now + LEASE, left)
    return claims
