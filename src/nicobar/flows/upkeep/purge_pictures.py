"""Delete uploads that never came and pictures that nothing shows any more."""

from typing import Final

from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog import pictures

_AT_ONCE: Final = 100
"""Rows that one round deletes at most."""


async def purge_pictures(runtime: Runtime) -> None:
    """Delete some of the rows that have expired."""
    async with runtime.database.statement() as tx:
        await pictures.purge_pictures(tx, runtime.real_now(), _AT_ONCE)
