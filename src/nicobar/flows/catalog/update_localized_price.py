"""Change the amount of a localized price."""

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.localized_price import LocalizedPrice
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.localized_prices import lock_localized_price, set_amount


async def update_localized_price(
    runtime: Runtime, tenant: Tenant, product_id: str, localized_price_id: str, amount: int | None
) -> LocalizedPrice:
    """Store the amount in minor units, unless it is None, and return the whole price.

    Payments made before keep their amounts.

    Raises Problem NOT_FOUND, and UNSUPPORTED_ACTION for an archived price; nothing is changed then.
    """
    async with runtime.database.transaction() as tx:
        stored = await lock_localized_price(tx, tenant, product_id, localized_price_id)
        if stored is None:
            raise Problem("NOT_FOUND", what="Localized price")
        if stored.archived_at is not None:
            raise Problem("UNSUPPORTED_ACTION", detail="The localized price is archived; create another one.")
        if amount is None or amount == stored.amount:
            return stored
        moment = runtime.now(tenant)
        await set_amount(tx, tenant, product_id, localized_price_id, amount, moment)
        ids = [product_id, localized_price_id]
        await write_audit_entry(runtime, tx, tenant, "localized_price.update", ids, ["amount"])
        return msgspec.structs.replace(stored, amount=amount, updated_at=moment)
