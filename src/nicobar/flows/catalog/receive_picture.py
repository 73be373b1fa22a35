"""Take an uploaded picture."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from nicobar.core.business.tenant import secret_hash
from nicobar.core.catalog.picture import wrong_ticket
from nicobar.drawing import draw_anew
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.catalog.exchange_picture import UNSHOWN_FOR, exchange_picture
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog import brands, products
from nicobar.storage.catalog.pictures import find_awaited, store_picture

_DRAWERS: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pictures")
"""One picture of a process is drawn at a time, since it may take 100 MB; the others wait. Meanwhile the process answers
as always."""


async def receive_picture(runtime: Runtime, image_id: str, ticket: str, upload: bytes) -> None:
    """Redraw an upload, store it, and show it where it was meant to be shown at once.

    Raises Problem INVALID_REQUEST_BODY for what is no picture that can be taken, which leaves the ticket valid, and
    UNAUTHORIZED with status 403 for a ticket that is not; nothing is stored then.
    """
    picture = await asyncio.get_running_loop().run_in_executor(_DRAWERS, draw_anew, upload)
    ticket_hash, moment = secret_hash(ticket), runtime.real_now()
    async with runtime.database.transaction() as tx:
        awaited = await find_awaited(tx, image_id, ticket_hash, moment)
        if awaited is None:
            raise wrong_ticket()
        tenant, product_id, brand_id = awaited.tenant, awaited.product_id, awaited.brand_id
        # What shows the picture is locked before the picture, in the order of a request that changes it.
        product = None if product_id is None else await products.lock_product(tx, tenant, product_id)
        brand = None if brand_id is None else await brands.lock_brand(tx, tenant, brand_id, "change")
        if not await store_picture(tx, awaited, ticket_hash, picture, moment, moment + UNSHOWN_FOR):
            raise wrong_ticket()
        news = {"image_id": image_id, "updated_at": runtime.now(tenant)}
        if product is not None:
            await exchange_picture(tx, tenant, product.image_id, image_id, moment)
            await products.update_product(tx, tenant, msgspec.structs.replace(product, **news))
            await write_audit_entry(runtime, tx, tenant, "product.update", [product.product_id], ["image_id"])
        if brand is not None:
            await exchange_picture(tx, tenant, brand.image_id, image_id, moment)
            await brands.update_brand(tx, tenant, msgspec.structs.replace(brand, **news))
            await write_audit_entry(runtime, tx, tenant, "brand.update", [brand.brand_id], ["image_id"])
