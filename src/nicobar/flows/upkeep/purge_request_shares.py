"""Clear away the shares of windows that are over."""

from nicobar.flows.runtime import Runtime
from nicobar.storage.business.request_shares import purge_shares


async def purge_request_shares(runtime: Runtime) -> None:
    """Delete what limits nothing any more."""
    async with runtime.database.statement() as tx:
        await purge_shares(tx)
