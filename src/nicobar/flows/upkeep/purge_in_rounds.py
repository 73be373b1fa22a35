"""Delete what is over in small statements, so that none of them holds many rows for long."""

from collections.abc import Awaitable, Callable
from typing import Final

from nicobar.flows.runtime import Runtime
from nicobar.storage.database import Tx

_AT_ONCE: Final = 2_000
"""Rows that one statement deletes at most."""

_ROUNDS: Final = 20
"""Statements that one call runs at most: the sweep has other things to do."""


async def purge_in_rounds(runtime: Runtime, delete: Callable[[Tx, int], Awaitable[int]]) -> None:
    """Call `delete` with the most rows that it may take until it returns that it took fewer, or enough was done."""
    for _ in range(_ROUNDS):
        async with runtime.database.statement() as tx:
            deleted = await delete(tx, _AT_ONCE)
        if deleted < _AT_ONCE:
            return
