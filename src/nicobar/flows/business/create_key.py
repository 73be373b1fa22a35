"""Create an API key."""

from datetime import datetime
from typing import Final

from nicobar.core.business.tenant import KEY_RANDOM_LENGTH, ApiKey, Scope, Tenant, key_text, secret_hash
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.business.keys import insert_key
from nicobar.storage.catalog.brands import get_brand

HINT_LENGTH: Final = 4
"""Characters of a key's end that are kept."""

NAME_LENGTH: Final = 100
"""Characters of a key's name."""


async def create_key(
    runtime: Runtime,
    tenant: Tenant,
    read_only: bool,
    name: str = "",
    *,
    scopes: frozenset[Scope] | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Store a new key of this business and mode; return it with its text, which is shown once and never stored.

    `name` is what its owner calls it; `scopes` is what it may write (None: everything). Raises Problem
    INVALID_REQUEST_PARAMETERS for a name that is too long or does not print, for scopes that contradict `read_only`
    or are none, and for an end in the past; NOT_FOUND when there is no such business.
    """
    moment = runtime.real_now()
    _check(name, read_only, scopes, expires_at, moment)
    text = key_text(tenant.mode, runtime.new_secret(KEY_RANDOM_LENGTH))
    key = ApiKey(runtime.new_id("key", moment), tenant, text[-HINT_LENGTH:], read_only, scopes, expires_at)
    async with runtime.database.transaction() as tx:
        if await get_brand(tx, tenant, tenant.business_id) is None:  # its primary brand is there as long as it is
            raise Problem("NOT_FOUND", what="Business")
        await insert_key(tx, key, secret_hash(text), moment, name)
        await write_audit_entry(runtime, tx, tenant, "key.create", [key.key_id])
    return key, text


def _check(
    name: str, read_only: bool, scopes: frozenset[Scope] | None, expires_at: datetime | None, moment: datetime
) -> None:
    if len(name) > NAME_LENGTH or not name.isprintable():
        detail = f"The name of a key has at most {NAME_LENGTH} characters, all of which print."
        raise Problem("INVALID_REQUEST_PARAMETERS", path="name", detail=detail)
    if scopes is not None and (read_only or not scopes):
        detail = "A key that may only read has no scopes, and one with scopes has at least one."
        raise Problem("INVALID_REQUEST_PARAMETERS", path="scopes", detail=detail)
    if expires_at is not None and expires_at <= moment:
        raise Problem("INVALID_REQUEST_PARAMETERS", path="expires_at", detail="A key ends in the future.")
