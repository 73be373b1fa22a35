"""Change a brand."""

import msgspec

from nicobar.core.audit.entry import changed_fields
from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.brand import Brand, BrandChange, checked_descriptor
from nicobar.core.fields import blank_to_none, checked_web_address, given
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.catalog.exchange_picture import exchange_picture
from nicobar.flows.runtime import Runtime
from nicobar.reference.contacts import checked_email
from nicobar.storage.catalog import brands


async def update_brand(runtime: Runtime, tenant: Tenant, brand_id: str, change: BrandChange) -> Brand:
    """Store the change and return the whole brand.

    Raises Problem NOT_FOUND for the brand or its image, UNABLE_TO_EDIT_PRIMARY_BRAND, BRAND_NOT_ENABLED for an
    archived brand, and INVALID_REQUEST_BODY for a malformed value; nothing is changed then.
    """
    async with runtime.database.transaction() as tx:
        stored = await brands.lock_brand(tx, tenant, brand_id, "change")
        if stored is None:
            raise Problem("NOT_FOUND", what="Brand")
        if stored.is_primary:
            raise Problem("UNABLE_TO_EDIT_PRIMARY_BRAND")
        if stored.archived_at is not None:
            raise Problem("BRAND_NOT_ENABLED", message="The brand is archived, which is permanent")
        changed = _changed(stored, change)
        if changed == stored:
            return stored
        moment = runtime.now(tenant)
        if changed.image_id != stored.image_id:
            await exchange_picture(tx, tenant, stored.image_id, changed.image_id, runtime.real_now())
        changed = msgspec.structs.replace(changed, updated_at=moment)
        await brands.update_brand(tx, tenant, changed)
        await write_audit_entry(runtime, tx, tenant, "brand.update", [brand_id], changed_fields(stored, changed))
        return changed


def _changed(stored: Brand, change: BrandChange) -> Brand:
    support_email = blank_to_none(given(change.support_email, stored.support_email))
    return msgspec.structs.replace(
        stored,
        name=blank_to_none(given(change.name, stored.name)),
        description=blank_to_none(given(change.description, stored.description)),
        statement_descriptor=checked_descriptor(given(change.statement_descriptor, "")) or stored.statement_descriptor,
        support_email=None if support_email is None else checked_email(support_email, "support_email"),
        url=checked_web_address(given(change.url, stored.url)),
        image_id=blank_to_none(given(change.image_id, stored.image_id)),
    )
