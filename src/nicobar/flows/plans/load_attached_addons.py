"""Read the add-ons that were asked for with a product."""

from collections.abc import Sequence

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.addon import Addon, RequestedAddon
from nicobar.storage.catalog.addons import get_addons
from nicobar.storage.catalog.products import get_product
from nicobar.storage.database import Read


async def load_attached_addons(
    read: Read, tenant: Tenant, product_id: str, requested: Sequence[RequestedAddon]
) -> dict[str, Addon]:
    """Return those of the requested add-ons that the product has and that exist, archived or not, by id."""
    product = await get_product(read, tenant, product_id) if requested else None
    if product is None:
        return {}
    attached = set(product.extras.get("addons") or [])
    ids = [addon.addon_id for addon in requested if addon.addon_id in attached]
    return {addon.addon_id: addon for addon in await get_addons(read, tenant, ids)}
