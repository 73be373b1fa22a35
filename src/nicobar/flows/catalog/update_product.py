"""Change a product."""

import msgspec
from msgspec import UNSET

from nicobar.core.audit.entry import changed_fields
from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.brand import check_usable
from nicobar.core.catalog.product import PriceRules, Product, ProductChange, changed_extras, check_price, is_recurring
from nicobar.core.fields import blank_to_none, checked_metadata, checked_name, given
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.catalog.exchange_picture import exchange_picture
from nicobar.flows.catalog.load_price_rules import load_price_rules
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog import products
from nicobar.storage.catalog.brands import lock_brand
from nicobar.storage.catalog.localized_prices import archive_mismatched


async def update_product(runtime: Runtime, tenant: Tenant, product_id: str, change: ProductChange) -> Product:
    """Store the change and return the whole product; an archived product can be changed, too.

    Localized prices that no longer fit its pricing mode or its currency are archived with it.

    Raises Problem NOT_FOUND for the product, its brand or its image, BRAND_NOT_ENABLED, UNSUPPORTED_ACTION when the
    price would turn from one-time to recurring or back, and what `create_product` raises for malformed values; nothing
    is changed then.
    """
    rules = None if change.price is UNSET else await load_price_rules(runtime, tenant, change.price)
    async with runtime.database.transaction() as tx:
        stored = await products.lock_product(tx, tenant, product_id)
        if stored is None:
            raise Problem("NOT_FOUND", what="Product")
        changed = _changed(stored, change, rules)
        if changed == stored:
            return stored
        if changed.brand_id != stored.brand_id:
            check_usable(await lock_brand(tx, tenant, changed.brand_id, "use"), "brand_id")
        moment = runtime.now(tenant)
        if changed.image_id != stored.image_id:
            await exchange_picture(tx, tenant, stored.image_id, changed.image_id, runtime.real_now())
        changed = msgspec.structs.replace(changed, updated_at=moment)
        await products.update_product(tx, tenant, changed)
        if changed.pricing_mode != stored.pricing_mode or changed.price.currency != stored.price.currency:
            await archive_mismatched(tx, tenant, product_id, changed.pricing_mode, moment)
        await write_audit_entry(runtime, tx, tenant, "product.update", [product_id], changed_fields(stored, changed))
        return changed


def _changed(stored: Product, change: ProductChange, rules: PriceRules | None) -> Product:
    """Return the product with the change; `rules` are those of a new price. A price that has parity may keep it."""
    name = stored.name if change.name is UNSET else checked_name(change.name)
    price = given(change.price, stored.price)
    if is_recurring(price) != stored.is_recurring:
        # Buyers of the product hold payments or subscriptions that the other kind of price could not explain.
        raise Problem(
            "UNSUPPORTED_ACTION",
            path="price.type",
            detail="A product stays one-time or recurring; create another product.",
        )
    if rules is not None and price != stored.price:
        check_price(price, rules._replace(takes_parity=rules.takes_parity or stored.price.purchasing_power_parity))
    return msgspec.structs.replace(
        stored,
        brand_id=blank_to_none(given(change.brand_id, None)) or stored.brand_id,
        name=name,
        description=blank_to_none(given(change.description, stored.description)),
        image_id=blank_to_none(given(change.image_id, stored.image_id)),
        tax_category=given(change.tax_category, stored.tax_category),
        price=price,
        pricing_mode=given(change.pricing_mode, stored.pricing_mode),
        metadata=checked_metadata(given(change.metadata, stored.metadata)),
        extras=changed_extras(stored.extras, change.extras),
    )
