"""Find out whether payments can be taken at this moment."""

from typing import Literal

from nicobar.flows.runtime import Runtime
from nicobar.storage.accounts.processor_accounts import all_accounts
from nicobar.storage.database import DatabaseUnavailable
from nicobar.storage.readiness import LEAST_FREE_BYTES, free_bytes, try_writing
from nicobar.vault import VaultError

Obstacle = Literal["database", "disk", "encryption_key"]
"""What is in the way: the database does not answer or cannot be written, its disk is nearly full, or the keys of a
payment processor cannot be decrypted."""


async def probe_readiness(runtime: Runtime) -> tuple[Obstacle, str] | None:
    """Return what is in the way of payments, with its reason for the log; None when nothing is. No row is written."""
    try:
        async with runtime.database.transaction() as tx:
            free = await free_bytes(tx)
            if free is not None and free < LEAST_FREE_BYTES:
                return "disk", f"{free} bytes are free on the disk of the database"
            await try_writing(tx)
            accounts = await all_accounts(tx)
        for account in accounts:
            if runtime.accounts is not None and account.retired_at is None:
                runtime.accounts.open(account)
    except DatabaseUnavailable as error:
        return "database", str(error)
    except VaultError as error:
        return "encryption_key", str(error)
    return None
