"""Keep when API keys were last used."""

from collections.abc import Mapping
from datetime import datetime

from nicobar.flows.runtime import Runtime
from nicobar.storage.business.keys import set_key_uses


async def record_key_uses(runtime: Runtime, uses: Mapping[str, datetime]) -> None:
    """Store the moments, by key id. They are collected in memory (`api.auth`), so no request waits for this."""
    async with runtime.database.statement() as tx:
        await set_key_uses(tx, uses)
