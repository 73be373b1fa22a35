"""Lease a share of the requests that somebody may make."""

from nicobar.flows.runtime import Runtime
from nicobar.storage.business.request_shares import TakenShare, take_share


async def lease_requests(runtime: Runtime, subject: str, seconds: int, amount: int) -> TakenShare:
    """Take a share for this process out of the window that is running on the database's clock."""
    async with runtime.database.statement() as tx:
        return await take_share(tx, subject, seconds, amount)
