"""Create an add-on."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.addon import Addon, NewAddon
from nicobar.core.fields import blank_to_none, checked_name
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.addons import insert_addon


async def create_addon(runtime: Runtime, tenant: Tenant, new: NewAddon) -> Addon:
    """Store a new add-on and return it. Raises Problem INVALID_REQUEST_BODY for a blank name."""
    name, moment = checked_name(new.name), runtime.now(tenant)
    addon = Addon(
        business_id=tenant.business_id,
        addon_id=runtime.new_id("adn", moment),
        name=name,
        description=blank_to_none(new.description),
        price=new.price,
        currency=new.currency,
        tax_category=new.tax_category,
        image_id=None,
        created_at=moment,
        updated_at=moment,
        archived_at=None,
    )
    async with runtime.database.transaction() as tx:
        await insert_addon(tx, tenant, addon)
        await write_audit_entry(runtime, tx, tenant, "addon.create", [addon.addon_id])
    return addon
