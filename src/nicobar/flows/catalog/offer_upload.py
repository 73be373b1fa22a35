"""Give a merchant an address that takes one picture."""

import uuid
from datetime import timedelta
from typing import Final

from nicobar.core.business.tenant import Tenant, secret_hash
from nicobar.core.catalog.picture import OfferedUpload
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.brands import get_brand
from nicobar.storage.catalog.pictures import Awaited, insert_awaited
from nicobar.storage.catalog.products import product_exists

TICKET_LIFE: Final = timedelta(minutes=15)
"""How long an upload is awaited."""


async def offer_upload(
    runtime: Runtime,
    tenant: Tenant,
    *,
    product_id: str | None = None,
    brand_id: str | None = None,
    at_once: bool = False,
) -> OfferedUpload:
    """Return a fresh id and the address that takes the picture for it, without a key and once.

    The picture is for a product or for a brand, or for whatever a PATCH puts it on. A product shows it as soon as it is
    uploaded if `at_once` says so, and the primary brand always does, because its id cannot be put there in any other
    way. Otherwise a PATCH decides.

    Raises Problem NOT_FOUND for the product or the brand, and BRAND_NOT_ENABLED for an archived brand.
    """
    async with runtime.database.transaction() as tx:
        if product_id is not None and not await product_exists(tx, tenant, product_id):
            raise Problem("NOT_FOUND", what="Product")
        if brand_id is not None:
            brand = await get_brand(tx, tenant, brand_id)
            if brand is None:
                raise Problem("NOT_FOUND", what="Brand")
            if brand.archived_at is not None:
                raise Problem("BRAND_NOT_ENABLED", message="The brand is archived, which is permanent")
            at_once = brand.is_primary
        image_id = str(uuid.UUID(bytes=runtime.clock.random_bytes(16), version=4))
        ticket, moment = runtime.new_secret(), runtime.real_now()
        shown_by = (product_id, brand_id) if at_once else (None, None)
        awaited = Awaited(tenant.business_id, tenant.mode, image_id, *shown_by)
        await insert_awaited(tx, awaited, secret_hash(ticket), moment, moment + TICKET_LIFE)
    return OfferedUpload(image_id, ticket, f"{runtime.image_url(image_id)}?ticket={ticket}")
