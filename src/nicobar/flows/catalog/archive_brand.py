"""Archive a brand permanently and hand its products and subscriptions over to another."""

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.brand import ArchivedBrand, Brand, check_usable
from nicobar.core.problems import Problem
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.events.load_whole_subscriptions import load_whole_subscriptions
from nicobar.flows.events.write_events import write_events
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog import brands, products
from nicobar.storage.database import Tx
from nicobar.storage.subscriptions import subscriptions


async def archive_brand(runtime: Runtime, tenant: Tenant, brand_id: str, target_id: str | None) -> ArchivedBrand:
    """Move what the brand has to the brand `target_id`, and archive it; both or neither.

    That is every product, archived ones too, and every subscription that has not ended; merchants are told of each
    subscription, which has another brand now. Their past payments stay.

    Raises Problem NOT_FOUND for either brand, UNABLE_TO_EDIT_PRIMARY_BRAND, BRAND_NOT_ENABLED when the brand is
    archived already (409) or the target is not usable (422), INVALID_REQUEST_PARAMETERS when the target is the brand
    itself, and UNSUPPORTED_ACTION when there is something to move but no target.
    """
    async with runtime.database.transaction() as tx:
        # Archivings of one business queue up behind its primary brand: two that name each other cannot deadlock.
        await brands.lock_brand(tx, tenant, tenant.business_id, "change")
        stored = await _lock_archivable(tx, tenant, brand_id)
        moment = runtime.now(tenant)
        products_moved, subscriptions_moved = 0, 0
        if target_id is not None:
            await _lock_target(tx, tenant, brand_id, target_id)
            products_moved = await products.move_products(tx, tenant, brand_id, target_id, moment)
            moved = await subscriptions.move_subscriptions(tx, tenant, brand_id, target_id)
            subscriptions_moved = len(moved)
            whole = await load_whole_subscriptions(tx, moved)
            await write_events(runtime, tx, tenant, "subscription.updated", whole, moment)
        elif await products.brand_has_products(tx, tenant, brand_id):
            raise _needs_target("products")
        elif await subscriptions.brand_has_subscriptions(tx, tenant, brand_id):
            raise _needs_target("subscriptions")
        await brands.update_brand(tx, tenant, msgspec.structs.replace(stored, archived_at=moment, updated_at=moment))
        ids = [brand_id] if target_id is None else [brand_id, target_id]
        await write_audit_entry(runtime, tx, tenant, "brand.archive", ids, ["archived_at"])
    return ArchivedBrand(
        brand_id=brand_id,
        archived_at=moment,
        products_moved=products_moved,
        subscriptions_moved=subscriptions_moved,
        moved_to_brand_id=target_id,
    )


def _needs_target(what: str) -> Problem:
    detail = f"The brand has {what}; name the brand that takes them over."
    return Problem("UNSUPPORTED_ACTION", path="move_products_to", detail=detail)


async def _lock_archivable(tx: Tx, tenant: Tenant, brand_id: str) -> Brand:
    stored = await brands.lock_brand(tx, tenant, brand_id, "change")
    if stored is None:
        raise Problem("NOT_FOUND", what="Brand")
    if stored.is_primary:
        raise Problem("UNABLE_TO_EDIT_PRIMARY_BRAND")
    if stored.archived_at is not None:
        raise Problem("BRAND_NOT_ENABLED", status=409, message="The brand is archived already")
    return stored


async def _lock_target(tx: Tx, tenant: Tenant, brand_id: str, target_id: str) -> None:
    if target_id == brand_id:
        raise Problem(
            "INVALID_REQUEST_PARAMETERS", path="move_products_to", detail="A brand cannot take over its own products."
        )
    check_usable(await brands.lock_brand(tx, tenant, target_id, "use"), "move_products_to")
