"""Create a brand."""

from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.brand import Brand, NewBrand, checked_descriptor, descriptor_from
from nicobar.core.fields import blank_to_none, checked_web_address
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.reference.contacts import checked_email
from nicobar.storage.catalog import brands

MAXIMUM_BRANDS: Final = 1000
"""Brands of a business, archived ones included: their list has no pages."""


async def create_brand(runtime: Runtime, tenant: Tenant, new: NewBrand) -> Brand:
    """Store a new brand and return it.

    Raises Problem INVALID_REQUEST_BODY for a malformed value, and UNSUPPORTED_ACTION when there are 1000 brands.
    """
    name = blank_to_none(new.name)
    support_email = blank_to_none(new.support_email)
    moment = runtime.now(tenant)
    brand = Brand(
        business_id=tenant.business_id,
        brand_id=runtime.new_id("brd", moment),
        name=name,
        description=blank_to_none(new.description),
        statement_descriptor=checked_descriptor(new.statement_descriptor) or descriptor_from(name),
        support_email=None if support_email is None else checked_email(support_email, "support_email"),
        url=checked_web_address(new.url),
        image_id=None,
        enabled=True,
        created_at=moment,
        updated_at=moment,
        archived_at=None,
    )
    async with runtime.database.transaction() as tx:
        # Creations queue up behind the primary brand, so that the count holds.
        await brands.lock_brand(tx, tenant, tenant.business_id, "change")
        if await brands.count_brands(tx, tenant) >= MAXIMUM_BRANDS:
            raise Problem("UNSUPPORTED_ACTION", detail=f"A business can have at most {MAXIMUM_BRANDS} brands.")
        await brands.insert_brand(tx, tenant, brand)
        await write_audit_entry(runtime, tx, tenant, "brand.create", [brand.brand_id])
    return brand
