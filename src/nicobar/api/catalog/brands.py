"""The operations on brands."""

from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.core.fields import blank_to_none
from nicobar.core.problems import Problem
from nicobar.flows.catalog.archive_brand import archive_brand
from nicobar.flows.catalog.create_brand import create_brand
from nicobar.flows.catalog.offer_upload import offer_upload
from nicobar.flows.catalog.update_brand import update_brand
from nicobar.storage.catalog import brands
from nicobar.wire.catalog.brands import (
    BrandArchive,
    BrandArchived,
    BrandCreate,
    BrandList,
    BrandListQuery,
    BrandRead,
    BrandUpdate,
    read_brand,
    read_brand_change,
    render_archived_brand,
    render_brand,
)
from nicobar.wire.catalog.pictures import UploadOffer, render_upload_offer
from nicobar.wire.common import NoQuery


async def create(call: Call[BrandCreate, NoQuery]) -> BrandRead:
    """Create a brand."""
    return render_brand(await create_brand(call.runtime, call.tenant, read_brand(call.body)), None)


async def retrieve(call: Call[None, NoQuery]) -> BrandRead:
    """Return one brand."""
    async with call.runtime.database.read() as read:
        brand = await brands.get_brand(read, call.tenant, call.path["id"])
    if brand is None:
        raise Problem("NOT_FOUND", what="Brand")
    return render_brand(brand, call.runtime.image_url(brand.image_id))


async def update(call: Call[BrandUpdate, NoQuery]) -> BrandRead:
    """Change a brand and return it."""
    brand = await update_brand(call.runtime, call.tenant, call.path["id"], read_brand_change(call.body))
    return render_brand(brand, call.runtime.image_url(brand.image_id))


async def archive(call: Call[BrandArchive, NoQuery]) -> BrandArchived:
    """Archive a brand and tell what was moved."""
    target_id = blank_to_none(call.body.move_products_to)
    return render_archived_brand(await archive_brand(call.runtime, call.tenant, call.path["id"], target_id))


async def list_(call: Call[None, BrandListQuery]) -> BrandList:
    """Return all brands of the business."""
    async with call.runtime.database.read() as read:
        found = await brands.list_brands(read, call.tenant, include_archived=bool(call.query.include_archived))
    return BrandList(items=[render_brand(brand, call.runtime.image_url(brand.image_id)) for brand in found])


async def offer_image(call: Call[None, NoQuery]) -> UploadOffer:
    """Return an address for the upload of a picture."""
    return render_upload_offer(await offer_upload(call.runtime, call.tenant, brand_id=call.path["id"]))


OPERATIONS: Final[list[Operation]] = [
    Operation(
        "POST",
        "/brands",
        create,
        BrandRead,
        body=BrandCreate,
        summary="Create a brand",
        problems=("INVALID_REQUEST_BODY", "UNSUPPORTED_ACTION"),
    ),
    Operation(
        "GET",
        "/brands",
        list_,
        BrandList,
        query=BrandListQuery,
        summary="List brands: the primary one, then newest first",
        problems=("INVALID_QUERY_PARAMS",),
    ),
    Operation("GET", "/brands/{id}", retrieve, BrandRead, summary="Read a brand", problems=("NOT_FOUND",)),
    Operation(
        "PATCH",
        "/brands/{id}",
        update,
        BrandRead,
        body=BrandUpdate,
        summary="Change a brand, except the primary one",
        problems=("NOT_FOUND", "INVALID_REQUEST_BODY", "UNABLE_TO_EDIT_PRIMARY_BRAND", "BRAND_NOT_ENABLED"),
    ),
    Operation(
        "POST",
        "/brands/{id}/archive",
        archive,
        BrandArchived,
        body=BrandArchive,
        summary="Archive a brand for good and move its products and subscriptions",
        problems=(
            "NOT_FOUND",
            "INVALID_REQUEST_PARAMETERS",
            "UNABLE_TO_EDIT_PRIMARY_BRAND",
            "BRAND_NOT_ENABLED",
            ("BRAND_NOT_ENABLED", 409),
            "UNSUPPORTED_ACTION",
        ),
    ),
    Operation(
        "PUT",
        "/brands/{id}/images",
        offer_image,
        UploadOffer,
        summary="Get an address for the upload of a picture; the primary brand shows it at once",
        problems=("NOT_FOUND", "BRAND_NOT_ENABLED"),
    ),
]
"""The brands' part of the table in `app.py`."""
