"""Make what is sold when an event is triggered, once."""

from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.product import NewProduct, Price
from nicobar.flows.catalog.create_product import create_product
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.products import list_products

_LISTED: Final = 100
"""Products among which that of an earlier trigger is looked for."""


async def make_test_product(runtime: Runtime, tenant: Tenant, name: str, price: Price) -> str:
    """Return the product with this name and price, which is made unless an earlier trigger has made it."""
    async with runtime.database.read() as read:
        listed = await list_products(
            read, tenant, archived=False, brand_id=None, recurring=None, limit=_LISTED, offset=0
        )
    for product in listed:
        if product.name == name and product.price == price:
            return product.product_id
    return (await create_product(runtime, tenant, NewProduct(name=name, price=price, tax_category="saas"))).product_id
