"""Replace an API key by a new one that may do the same."""

from datetime import timedelta
from typing import Final

from nicobar.core.business.tenant import KEY_RANDOM_LENGTH, ApiKey, key_text, secret_hash
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.business.create_key import HINT_LENGTH
from nicobar.flows.runtime import Runtime
from nicobar.storage.business.keys import expire_key, insert_key, lock_key

LONGEST_OVERLAP: Final = timedelta(days=90)
"""How long both keys may work."""


async def rotate_key(runtime: Runtime, business_id: str, key_id: str, overlap: timedelta) -> tuple[ApiKey, str]:
    """Make a key of the same mode, name and rights; return it with its text. The old one ends after `overlap`.

    A key that had a limited life hands the length of it on, counted from now. Raises Problem NOT_FOUND when the
    business has no valid key with this id, and INVALID_REQUEST_PARAMETERS for an overlap below zero or above
    `LONGEST_OVERLAP`; nothing is changed then.
    """
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        detail = f"Both keys can work for 0 to {LONGEST_OVERLAP.days} days."
        raise Problem("INVALID_REQUEST_PARAMETERS", path="overlap", detail=detail)
    moment = runtime.real_now()
    async with runtime.database.transaction() as tx:
        stored = await lock_key(tx, business_id, key_id)
        if stored is None or not stored.is_valid(moment):
            raise Problem("NOT_FOUND", what="API key")
        old = stored.key
        text = key_text(old.tenant.mode, runtime.new_secret(KEY_RANDOM_LENGTH))
        expires_at = None if old.expires_at is None else moment + (old.expires_at - stored.created_at)
        new = ApiKey(
            runtime.new_id("key", moment), old.tenant, text[-HINT_LENGTH:], old.read_only, old.scopes, expires_at
        )
        await insert_key(tx, new, secret_hash(text), moment, stored.name)
        await expire_key(tx, business_id, key_id, moment + overlap)
        await write_audit_entry(runtime, tx, old.tenant, "key.rotate", [key_id, new.key_id], ["expires_at"])
    return new, text
