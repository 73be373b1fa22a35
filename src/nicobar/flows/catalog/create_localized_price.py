"""Create a localized price of a product."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.localized_price import LocalizedPrice, check_new
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.reference import currencies
from nicobar.storage.catalog.localized_prices import insert_localized_price
from nicobar.storage.catalog.products import lock_product


async def create_localized_price(
    runtime: Runtime, tenant: Tenant, product_id: str, *, amount: int, currency: str, country_code: str | None = None
) -> LocalizedPrice:
    """Store a new price for one market and return it; an archived product can get one, too.

    `amount` is the price of one unit before tax, in minor units of `currency`.

    Raises Problem UNSUPPORTED_CURRENCY for a currency that nobody can be charged in, NOT_FOUND for the product, what
    `core.catalog.localized_price.check_new` raises, and LOCALIZED_PRICE_ALREADY_EXISTS; nothing is stored then.
    """
    if currency not in currencies.chargeable():
        raise Problem("UNSUPPORTED_CURRENCY", detail=currency, path="currency")
    moment = runtime.now(tenant)
    async with runtime.database.transaction() as tx:
        # The lock keeps the product's mode and currency as they are until the price that was checked by them is in.
        product = await lock_product(tx, tenant, product_id)
        if product is None:
            raise Problem("NOT_FOUND", what="Product")
        price = LocalizedPrice(
            localized_price_id=runtime.new_id("lcp", moment),
            product_id=product_id,
            pricing_mode=check_new(product, currency, country_code),
            currency=currency,
            amount=amount,
            country_code=country_code,
            created_at=moment,
            updated_at=moment,
            archived_at=None,
        )
        if not await insert_localized_price(tx, tenant, price):
            raise Problem("LOCALIZED_PRICE_ALREADY_EXISTS")
        ids = [product_id, price.localized_price_id]
        await write_audit_entry(runtime, tx, tenant, "localized_price.create", ids)
    return price
