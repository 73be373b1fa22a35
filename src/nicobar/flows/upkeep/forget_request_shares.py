"""Clear away the shares of windows that are over."""

from nicobar.flows.runtime import Runtime
from nicobar.storage.business.request_shares import forget_shares


async def forget_request_shares(runtime: Runtime) -> None:
    """Delete what limits nothing any more."""
    async with runtime.database.statement() as tx:
        await forget_shares(tx)
