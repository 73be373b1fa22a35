"""Change an add-on. Running subscriptions keep it as they bought it."""

import msgspec
from msgspec import UNSET

from nicobar.core.audit.entry import changed_fields
from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.addon import Addon, AddonChange
from nicobar.core.fields import blank_to_none, checked_name, given
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.catalog.exchange_picture import exchange_picture
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog import addons


async def update_addon(runtime: Runtime, tenant: Tenant, addon_id: str, change: AddonChange) -> Addon:
    """Store the change and return the whole add-on.

    Raises Problem NOT_FOUND for the add-on or its image, and INVALID_REQUEST_BODY for a blank name; nothing is changed
    then.
    """
    async with runtime.database.transaction() as tx:
        stored = await addons.lock_addon(tx, tenant, addon_id)
        if stored is None:
            raise Problem("NOT_FOUND", what="Addon")
        changed = msgspec.structs.replace(
            stored,
            name=stored.name if change.name is UNSET else checked_name(change.name),
            price=given(change.price, stored.price),
            currency=given(change.currency, stored.currency),
            tax_category=given(change.tax_category, stored.tax_category),
            description=blank_to_none(given(change.description, stored.description)),
            image_id=blank_to_none(given(change.image_id, stored.image_id)),
        )
        if changed == stored:
            return stored
        if changed.image_id != stored.image_id:
            await exchange_picture(tx, tenant, stored.image_id, changed.image_id, runtime.real_now())
        changed = msgspec.structs.replace(changed, updated_at=runtime.now(tenant))
        await addons.update_addon(tx, tenant, changed)
        await write_audit_entry(runtime, tx, tenant, "addon.update", [addon_id], changed_fields(stored, changed))
        return changed
