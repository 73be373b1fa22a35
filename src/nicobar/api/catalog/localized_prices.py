"""The operations on localized prices of a product."""

from typing import Final

from nicobar.api.routing import Call, Operation
from nicobar.core.problems import Problem
from nicobar.flows.catalog.archive_localized_price import archive_localized_price
from nicobar.flows.catalog.create_localized_price import create_localized_price
from nicobar.flows.catalog.update_localized_price import update_localized_price
from nicobar.storage.catalog.localized_prices import get_localized_price, list_localized_prices
from nicobar.storage.catalog.products import product_exists
from nicobar.wire.catalog.localized_prices import (
    LocalizedPriceCreate,
    LocalizedPriceList,
    LocalizedPriceRead,
    LocalizedPriceUpdate,
    render_localized_price,
)
from nicobar.wire.common import NoQuery


async def create(call: Call[LocalizedPriceCreate, NoQuery]) -> LocalizedPriceRead:
    """Create the price of one market."""
    body = call.body
    price = await create_localized_price(
        call.runtime,
        call.tenant,
        call.path["product_id"],
        amount=body.amount,
        currency=body.currency,
        country_code=body.country_code,
    )
    return render_localized_price(price)


async def list_(call: Call[None, NoQuery]) -> LocalizedPriceList:
    """Return the active prices of a product, newest first."""
    product_id = call.path["product_id"]
    async with call.runtime.database.snapshot() as read:
        found = await list_localized_prices(read, call.tenant, product_id)
        if not found and not await product_exists(read, call.tenant, product_id):
            raise Problem("NOT_FOUND", what="Product")
    return LocalizedPriceList(items=[render_localized_price(price) for price in found])


async def retrieve(call: Call[None, NoQuery]) -> LocalizedPriceRead:
    """Return one price, archived or not."""
    async with call.runtime.database.read() as read:
        price = await get_localized_price(read, call.tenant, call.path["product_id"], call.path["id"])
    if price is None:
        raise Problem("NOT_FOUND", what="Localized price")
    return render_localized_price(price)


async def update(call: Call[LocalizedPriceUpdate, NoQuery]) -> LocalizedPriceRead:
    """Change the amount of a price."""
    path = call.path
    return render_localized_price(
        await update_localized_price(call.runtime, call.tenant, path["product_id"], path["id"], call.body.amount)
    )


async def archive(call: Call[None, NoQuery]) -> None:
    """Archive a price; the answer is empty."""
    await archive_localized_price(call.runtime, call.tenant, call.path["product_id"], call.path["id"])


OPERATIONS: Final[list[Operation]] = [
    Operation(
        "POST",
        "/products/{product_id}/localized-prices",
        create,
        LocalizedPriceRead,
        body=LocalizedPriceCreate,
        summary="Create a localized price",
        problems=(
            "INVALID_REQUEST_BODY",
            "UNSUPPORTED_CURRENCY",
            "NOT_FOUND",
            "UNSUPPORTED_ACTION",
            "PRODUCT_PRICING_MODE_REQUIRED",
            "LOCALIZED_PRICE_SHAPE_MISMATCH",
            "LOCALIZED_PRICE_DUPLICATES_BASE",
            "LOCALIZED_PRICE_ALREADY_EXISTS",
        ),
    ),
    Operation(
        "GET",
        "/products/{product_id}/localized-prices",
        list_,
        LocalizedPriceList,
        summary="List the active localized prices of a product, newest first",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "GET",
        "/products/{product_id}/localized-prices/{id}",
        retrieve,
        LocalizedPriceRead,
        summary="Read a localized price",
        problems=("NOT_FOUND",),
    ),
    Operation(
        "PATCH",
        "/products/{product_id}/localized-prices/{id}",
        update,
        LocalizedPriceRead,
        body=LocalizedPriceUpdate,
        summary="Change the amount of a localized price",
        problems=("INVALID_REQUEST_BODY", "NOT_FOUND", "UNSUPPORTED_ACTION"),
    ),
    Operation(
        "DELETE",
        "/products/{product_id}/localized-prices/{id}",
        archive,
        None,
        summary="Archive a localized price",
        problems=("NOT_FOUND",),
    ),
]
"""The localized prices' part of the table in `app.py`."""
