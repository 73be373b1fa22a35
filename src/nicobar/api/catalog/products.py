"""The operations on products."""

from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.core.problems import Problem
from nicobar.flows.catalog.archive_product import archive_product
from nicobar.flows.catalog.create_product import create_product
from nicobar.flows.catalog.offer_upload import offer_upload
from nicobar.flows.catalog.unarchive_product import unarchive_product
from nicobar.flows.catalog.update_product import update_product
from nicobar.storage.catalog.products import get_product, list_products
from nicobar.wire.catalog.pictures import UploadOffer, UploadQuery, render_upload_offer
from nicobar.wire.catalog.products import (
    ProductCreate,
    ProductListItem,
    ProductListQuery,
    ProductQuery,
    ProductRead,
    ProductUpdate,
    read_product,
    read_product_change,
    render_list_item,
    render_product,
)
from nicobar.wire.common import Items, NoQuery


async def create(call: Call[ProductCreate, NoQuery]) -> ProductRead:
    """Create a product."""
    return render_product(await create_product(call.runtime, call.tenant, read_product(call.body)), None)


async def retrieve(call: Call[None, ProductQuery]) -> ProductRead:
    """Return one product, archived or not."""
    async with call.runtime.database.read() as read:
        product = await get_product(read, call.tenant, call.path["id"])
    if product is None:
        raise Problem("NOT_FOUND", what="Product")
    return render_product(product, call.runtime.image_url(product.image_id))


async def list_(call: Call[None, ProductListQuery]) -> Items[ProductListItem]:
    """Return a page of products, newest first."""
    query = call.query
    offset = query.offset
    async with call.runtime.database.read() as read:
        found = await list_products(
            read,
            call.tenant,
            archived=bool(query.archived),
            brand_id=query.brand_id,
            recurring=query.recurring,
            limit=query.page_size,
            offset=offset,
        )
    return Items(items=[render_list_item(product, call.runtime.image_url(product.image_id)) for product in found])


async def update(call: Call[ProductUpdate, NoQuery]) -> None:
    """Change a product; the answer is empty."""
    await update_product(call.runtime, call.tenant, call.path["id"], read_product_change(call.body))


async def archive(call: Call[None, NoQuery]) -> None:
    """Archive a product; the answer is empty."""
    await archive_product(call.runtime, call.tenant, call.path["id"])


async def unarchive(call: Call[None, NoQuery]) -> None:
    """Bring an archived product back; the answer is empty."""
    await unarchive_product(call.runtime, call.tenant, call.path["id"])


async def offer_image(call: Call[None, UploadQuery]) -> UploadOffer:
    """Return an address for the upload of a picture."""
    at_once = not call.query.force_update
    offered = await offer_upload(call.runtime, call.tenant, product_id=call.path["id"], at_once=at_once)
    return render_upload_offer(offered)


_FIELD_PROBLEMS: Final = (
    "INVALID_REQUEST_BODY",
    "INVALID_REQUEST_PARAMETERS",
    "INVALID_SUGGESTED_PRICE",
    "ppp_not_enabled_for_business",
    "DUPLICATE_METER_IDS_IN_REQUEST",
    "MAXIMUM_KEYS_REACHED",
    "BRAND_NOT_ENABLED",
    "NOT_FOUND",
)

OPERATIONS: Final[list[Operation]] = [
    Operation(
        "POST",
        "/products",
        create,
        ProductRead,
        body=ProductCreate,
        summary="Create a product",
        problems=_FIELD_PROBLEMS,
    ),
    Operation(
        "GET",
        "/products",
        list_,
        Items[ProductListItem],
        query=ProductListQuery,
        summary="List products, newest first",
        problems=("INVALID_QUERY_PARAMS",),
    ),
    Operation(
        "GET",
        "/products/{id}",
        retrieve,
        ProductRead,
        query=ProductQuery,
        summary="Read a product",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "PATCH",
        "/products/{id}",
        update,
        None,
        body=ProductUpdate,
        summary="Change a product",
        problems=(*_FIELD_PROBLEMS, "UNSUPPORTED_ACTION"),
    ),
    Operation(
        "DELETE",
        "/products/{id}",
        archive,
        None,
        summary="Archive a product",
        problems=("NOT_FOUND", ("PRODUCT_IS_DELETED", 410)),
    ),
    Operation(
        "POST",
        "/products/{id}/unarchive",
        unarchive,
        None,
        summary="Bring an archived product back",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "PUT",
        "/products/{id}/images",
        offer_image,
        UploadOffer,
        query=UploadQuery,
        summary="Get an address for the upload of a picture",
        problems=("NOT_FOUND", "INVALID_QUERY_PARAMS"),
    ),
]
"""The products' part of the table in `app.py`."""
