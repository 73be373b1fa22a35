"""Archive an add-on, or bring one back: nobody can buy an archived one."""

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.addons import lock_addon, update_addon


async def archive_addon(runtime: Runtime, tenant: Tenant, addon_id: str, *, archived: bool) -> None:
    """Archive it or bring it back; running subscriptions keep it. Raises Problem NOT_FOUND.

    One that is so already is left alone.
    """
    async with runtime.database.transaction() as tx:
        addon = await lock_addon(tx, tenant, addon_id)
        if addon is None:
            raise Problem("NOT_FOUND", what="Addon")
        if (addon.archived_at is not None) == archived:
            return
        moment = runtime.now(tenant)
        changed = msgspec.structs.replace(addon, archived_at=moment if archived else None, updated_at=moment)
        await update_addon(tx, tenant, changed)
        action = "addon.archive" if archived else "addon.unarchive"
        await write_audit_entry(runtime, tx, tenant, action, [addon_id], ["archived_at"])
