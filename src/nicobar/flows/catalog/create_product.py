"""Create a product."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.brand import check_usable
from nicobar.core.catalog.product import Product, is_recurring
from nicobar.core.problems import Problem
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.brands import lock_brand
from nicobar.storage.catalog.products import insert_product
from nicobar.wire.catalog.prices import price_from
from nicobar.wire.catalog.products import ProductCreate, extras_from
from nicobar.wire.common import blank_to_none, checked_metadata


async def create_product(runtime: Runtime, tenant: Tenant, body: ProductCreate) -> Product:
    """Store a new product, under the primary brand unless another is named, and return it.

    Raises Problem INVALID_REQUEST_BODY for a malformed value, what `core.product.check_price` raises,
    MAXIMUM_KEYS_REACHED, NOT_FOUND for an unknown brand or file, and BRAND_NOT_ENABLED; nothing is stored then.
    """
    name = blank_to_none(body.name)
    if name is None:
        raise Problem("INVALID_REQUEST_BODY", path="name", detail="It is blank.")
    price = price_from(body.price)
    moment = runtime.clock.now()
    product = Product(
        business_id=tenant.business_id,
        product_id=runtime.new_id("pdt", moment),
        brand_id=blank_to_none(body.brand_id) or tenant.business_id,
        name=name,
        description=blank_to_none(body.description),
        image_id=None,
        tax_category=body.tax_category,
        price=price,
        is_recurring=is_recurring(price),
        pricing_mode=body.pricing_mode,
        metadata=checked_metadata(body.metadata),
        extras=extras_from(body, {}),
        created_at=moment,
        updated_at=moment,
        archived_at=None,
    )
    async with runtime.database.transaction() as tx:
        check_usable(await lock_brand(tx, tenant, product.brand_id, "use"), "brand_id")
        await insert_product(tx, tenant, product)
    return product
