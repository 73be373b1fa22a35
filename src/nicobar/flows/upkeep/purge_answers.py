"""Delete kept answers that have expired."""

from typing import Final

from nicobar.flows.runtime import Runtime
from nicobar.storage.retries import kept_answers

_AT_ONCE: Final = 2_000
"""Rows that one statement deletes at most."""

_ROUNDS: Final = 20
"""Statements that one call runs at most: the sweep has other things to do."""


async def purge_answers(runtime: Runtime) -> None:
    """Delete what has expired, as far as one round goes."""
    for _ in range(_ROUNDS):
        async with runtime.database.statement() as tx:
            deleted = await kept_answers.purge_answers(tx, runtime.real_now(), _AT_ONCE)
        if deleted < _AT_ONCE:
            return
