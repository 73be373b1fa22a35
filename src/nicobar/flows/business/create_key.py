"""Create an API key."""

from typing import Final

from nicobar.core.business.tenant import KEY_RANDOM_LENGTH, ApiKey, Tenant, key_text, secret_hash
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.business.keys import insert_key
from nicobar.storage.catalog.brands import get_brand

_HINT_LENGTH: Final = 4

NAME_LENGTH: Final = 100
"""Characters of a key's name."""


async def create_key(runtime: Runtime, tenant: Tenant, read_only: bool, name: str = "") -> tuple[ApiKey, str]:
    """Store a new key of this business and mode; return it with its text, which is shown once and never stored.

    `name` is what its owner calls it. Raises Problem INVALID_REQUEST_PARAMETERS for a name that is too long or does
    not print, and NOT_FOUND when there is no such business.
    """
    if len(name) > NAME_LENGTH or not name.isprintable():
        detail = f"The name of a key has at most {NAME_LENGTH} characters, all of which print."
        raise Problem("INVALID_REQUEST_PARAMETERS", path="name", detail=detail)
    moment = runtime.real_now()
    text = key_text(tenant.mode, runtime.new_secret(KEY_RANDOM_LENGTH))
    key = ApiKey(runtime.new_id("key", moment), tenant, text[-_HINT_LENGTH:], read_only)
    async with runtime.database.transaction() as tx:
        if await get_brand(tx, tenant, tenant.business_id) is None:  # its primary brand is there as long as it is
            raise Problem("NOT_FOUND", what="Business")
        await insert_key(tx, key, secret_hash(text), moment, name)
    return key, text
