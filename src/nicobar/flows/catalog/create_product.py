"""Create a product."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.brand import check_usable
from nicobar.core.catalog.product import NewProduct, Product, changed_extras, check_price, is_recurring
from nicobar.core.fields import blank_to_none, checked_metadata, checked_name
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.catalog.load_price_rules import load_price_rules
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.brands import lock_brand
from nicobar.storage.catalog.products import insert_product


async def create_product(runtime: Runtime, tenant: Tenant, new: NewProduct) -> Product:
    """Store a new product, under the primary brand unless another is named, and return it.

    Raises Problem INVALID_REQUEST_BODY for a malformed value, what `core.catalog.product.check_price` raises,
    MAXIMUM_KEYS_REACHED, NOT_FOUND for an unknown brand or file, and BRAND_NOT_ENABLED; nothing is stored then.
    """
    name = checked_name(new.name)
    check_price(new.price, await load_price_rules(runtime, tenant, new.price))
    moment = runtime.now(tenant)
    product = Product(
        business_id=tenant.business_id,
        product_id=runtime.new_id("pdt", moment),
        brand_id=blank_to_none(new.brand_id) or tenant.business_id,
        name=name,
        description=blank_to_none(new.description),
        image_id=None,
        tax_category=new.tax_category,
        price=new.price,
        is_recurring=is_recurring(new.price),
        pricing_mode=new.pricing_mode,
        metadata=checked_metadata(new.metadata),
        extras=changed_extras({}, new.extras),
        created_at=moment,
        updated_at=moment,
        archived_at=None,
    )
    async with runtime.database.transaction() as tx:
        check_usable(await lock_brand(tx, tenant, product.brand_id, "use"), "brand_id")
        await insert_product(tx, tenant, product)
        await write_audit_entry(runtime, tx, tenant, "product.create", [product.product_id])
    return product
