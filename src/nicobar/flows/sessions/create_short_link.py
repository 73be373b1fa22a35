"""Give a static link a short name."""

from nicobar.core.business.tenant import Tenant
from nicobar.core.problems import Problem
from nicobar.core.sessions.short_link import PRODUCT_PREFIX, ShortLink
from nicobar.flows.audit.write_audit_entry import write_audit_entry
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.products import get_product
from nicobar.storage.sessions.short_links import insert_short_link


async def create_short_link(
    runtime: Runtime, tenant: Tenant, product_id: str, slug: str, parameters: dict[str, str]
) -> ShortLink:
    """Store a short link. `parameters` are those of a static link, which drops what it cannot use.

    Raises Problem INVALID_REQUEST_BODY for a name that looks like the id of a product, NOT_FOUND for the product, and
    SLUG_ALREADY_TAKEN for a name that somebody on this server has; nothing is stored then.
    """
    if slug.startswith(PRODUCT_PREFIX):
        raise Problem("INVALID_REQUEST_BODY", path="slug", detail=f"It cannot begin with {PRODUCT_PREFIX}.")
    at = runtime.now(tenant)
    async with runtime.database.transaction() as tx:
        if await get_product(tx, tenant, product_id) is None:
            raise Problem("NOT_FOUND", what="Product")
        link = ShortLink(
            business_id=tenant.business_id,
            mode=tenant.mode,
            link_id=runtime.new_id("lnk", at),
            slug=slug,
            product_id=product_id,
            parameters=parameters,
            created_at=at,
        )
        if not await insert_short_link(tx, link):
            raise Problem("SLUG_ALREADY_TAKEN", path="slug")
        await write_audit_entry(runtime, tx, tenant, "short_link.create", [product_id, link.link_id])
    return link
