"""Short links of products: create, list."""

from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.flows.sessions.create_short_link import create_short_link
from nicobar.storage.sessions.short_links import list_short_links
from nicobar.wire.common import Items, NoQuery
from nicobar.wire.sessions.short_links import (
    ShortLinkCreate,
    ShortLinkCreated,
    ShortLinkQuery,
    ShortLinkRead,
    render_short_link,
    render_short_link_created,
)


async def create(call: Call[ShortLinkCreate, NoQuery]) -> ShortLinkCreated:
    """Give a static link of the product a short name."""
    parameters = call.body.static_checkout_params or {}
    link = await create_short_link(call.runtime, call.tenant, call.path["id"], call.body.slug, parameters)
    return render_short_link_created(link, call.runtime.public_url)


async def list_(call: Call[None, ShortLinkQuery]) -> Items[ShortLinkRead]:
    """Return a page of short links, newest first."""
    query = call.query
    async with call.runtime.database.read() as read:
        links = await list_short_links(read, call.tenant, query.product_id, query.page_size, query.offset)
    return Items(items=[render_short_link(link, call.runtime.public_url) for link in links])


OPERATIONS: Final = [
    Operation(
        "GET",
        "/products/short_links",
        list_,
        Items[ShortLinkRead],
        query=ShortLinkQuery,
        summary="List short links",
        problems=("INVALID_QUERY_PARAMS",),
    ),
    Operation(
        "POST",
        "/products/{id}/short_links",
        create,
        ShortLinkCreated,
        body=ShortLinkCreate,
        summary="Create a short link",
        problems=("SLUG_ALREADY_TAKEN", "NOT_FOUND"),
    ),
]
"""The short links' part of the table in `app.py`; it precedes the part of products, whose ids look like its path."""
