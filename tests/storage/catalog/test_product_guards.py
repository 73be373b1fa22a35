"""The database's own guards of products: they hold even when the program is wrong."""

from datetime import datetime
from typing import Any

import asyncpg
import msgspec
import pytest

from harness import START, Merchant
from nicobar.core.catalog.product import OneTimePrice, Product
from nicobar.flows.runtime import Runtime
from nicobar.storage.catalog.products import get_products, insert_product
from nicobar.storage.database import ReferenceGone


def product(merchant: Merchant, **changes: Any) -> Product:
    values: dict[str, Any] = {
        "business_id": merchant.business_id,
        "product_id": "pdt_1",
        "brand_id": merchant.business_id,
        "name": "Guide",
        "description": None,
        "image_id": None,
        "tax_category": "saas",
        "price": OneTimePrice("USD", 2_147_483_647),
        "is_recurring": False,
        "pricing_mode": None,
        "metadata": {},
        "extras": {},
        "created_at": START,
        "updated_at": START,
        "archived_at": None,
    }
    return Product(**(values | changes))


async def test_a_right_product_comes_back_as_it_was(runtime: Runtime, merchant: Merchant) -> None:
    archived_at = datetime.fromisoformat("2026-04-01T00:00:00+00:00")
    whole = product(merchant, metadata={"a": 1.5}, extras={"addons": ["x"]}, archived_at=archived_at)
    async with runtime.database.transaction() as tx:
        await insert_product(tx, merchant.tenant, whole)
        assert await get_products(tx, merchant.tenant, ["pdt_1"]) == [whole]


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"is_recurring": True}, "products_kind"),
        ({"price": OneTimePrice("USD", -1)}, "products_price"),
        ({"price": OneTimePrice("USD", 2_147_483_648)}, "products_price"),
        ({"pricing_mode": "by_weather"}, "products_pricing_mode_check"),
    ],
)
async def test_a_wrong_product_is_not_stored(
    runtime: Runtime, merchant: Merchant, changes: dict[str, Any], constraint: str
) -> None:
    wrong = msgspec.structs.replace(product(merchant), **changes)
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        async with runtime.database.transaction() as tx:
            await insert_product(tx, merchant.tenant, wrong)
    assert caught.value.constraint_name == constraint
    async with runtime.database.read() as read:
        assert await get_products(read, merchant.tenant, ["pdt_1"]) == []


async def test_a_product_needs_a_brand_of_its_business(runtime: Runtime, merchant: Merchant) -> None:
    with pytest.raises(ReferenceGone, match="violates foreign key constraint"):
        async with runtime.database.transaction() as tx:
            await insert_product(tx, merchant.tenant, product(merchant, brand_id="brd_unknown"))
