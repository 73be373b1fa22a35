"""Revoke an API key."""

from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.business import keys


async def revoke_key(runtime: Runtime, business_id: str, key_id: str) -> None:
    """Make a key worthless; a running server may remember it for a few seconds more (see `api.auth`).

    Raises Problem NOT_FOUND when the business has no valid key with this id.
    """
    async with runtime.database.transaction() as tx:
        stored = await keys.lock_key(tx, business_id, key_id)
        if stored is None or not await keys.revoke_key(tx, business_id, key_id, runtime.real_now()):
            raise Problem("NOT_FOUND", what="API key")
        await write_audit_entry(runtime, tx, stored.key.tenant, "key.revoke", [key_id], ["revoked_at"])
