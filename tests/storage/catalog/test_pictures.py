"""The database's own guards of pictures: they hold even when the program is wrong."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from harness import START, Merchant
from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.picture import Picture
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.pictures import Awaited, insert_awaited, store_picture
from nicobar.storage.database import ReferenceGone, UniqueViolation

IMAGE_ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
TICKET = bytes(32)
LATER = START + timedelta(days=1)


async def store(runtime: Runtime, tenant: Tenant, **changes: Any) -> None:
    """Await an upload and store it."""
    awaited = Awaited(tenant.business_id, tenant.mode, changes.pop("image_id", IMAGE_ID), None, None)
    picture = Picture(**({"whole": b"whole", "small": b"small"} | changes))
    async with runtime.database.transaction() as tx:
        await insert_awaited(tx, awaited, TICKET, START, LATER)
        assert await store_picture(tx, awaited, TICKET, picture, START, LATER)


async def change(runtime: Runtime, statement: str) -> None:
    async with runtime.database.transaction() as tx:
        await tx.execute(statement)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE pictures SET small = NULL", "pictures_awaited_or_there"),
        ("UPDATE pictures SET whole = NULL, small = NULL", "pictures_awaited_or_there"),
        ("UPDATE pictures SET ticket_hash = decode(repeat('00', 32), 'hex')", "pictures_awaited_or_there"),
        ("UPDATE pictures SET product_id = 'pdt_1', brand_id = business_id", "pictures_one_target"),
    ],
)
async def test_a_picture_is_awaited_or_there(
    runtime: Runtime, merchant: Merchant, statement: str, constraint: str
) -> None:
    await store(runtime, merchant.tenant)
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await change(runtime, statement)
    assert caught.value.constraint_name == constraint


@pytest.mark.parametrize("changes", [{"small": bytes(3073)}, {"whole": bytes(1024 * 1024 + 1)}])
async def test_a_picture_is_not_larger_than_it_may_be(
    runtime: Runtime, merchant: Merchant, changes: dict[str, bytes]
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await store(runtime, merchant.tenant, **changes)


@pytest.mark.parametrize("mode", ["test", "live"])
async def test_a_picture_that_is_shown_cannot_be_lost_and_none_of_another_mode_shown(
    runtime: Runtime, merchant: Merchant, mode: str
) -> None:
    await store(runtime, merchant.tenant)
    show = f"UPDATE brands SET image_id = '{IMAGE_ID}' WHERE mode = '{mode}'"
    if mode == "live":
        with pytest.raises(ReferenceGone, match="brands_image"):
            await change(runtime, show)
    else:
        await change(runtime, show)
        with pytest.raises(ReferenceGone, match="brands_image"):
            await change(runtime, "DELETE FROM pictures")


async def test_an_id_is_of_one_picture_in_the_whole_server(
    runtime: Runtime, merchant: Merchant, other_merchant: Merchant
) -> None:
    """Everybody may ask for a picture by its id alone."""
    await store(runtime, merchant.tenant)
    with pytest.raises(UniqueViolation, match="pictures_image_id"):
        await store(runtime, other_merchant.tenant)
