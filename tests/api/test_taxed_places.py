"""Tax by postal code and place: through preview, creation, explanation and change, and for payments of the old rule."""

import pytest
import pytest_asyncio
from starlette.types import ASGIApp

from harness import FakeClock, Merchant
from nicobar.core.customers.buyer import Address
from nicobar.core.payments.repricing import PaymentChange
from nicobar.flows.payments.reprice_payment import reprice_payment
from nicobar.flows.runtime import Runtime
from orders import reload
from shop import Bought, Shop, item, order_request

GERMAN = "DE136695976"


@pytest_asyncio.fixture
async def shop(runtime: Runtime, app: ASGIApp, clock: FakeClock, merchant: Merchant) -> Shop:
    shop = Shop(runtime, app, clock, merchant)
    await shop.settings(tax="table", seller_country="DE")
    return shop


async def sold(shop: Shop, billing: dict[str, str], **fields: str) -> Bought:
    return await shop.buy(item(await shop.product(10_000, "USD")), billing=billing, **fields)


@pytest.mark.parametrize(
    ("billing", "tax", "source"),
    [
        (
            {"country": "ES", "zipcode": "35001", "city": "Las Palmas"},
            0,
            "ES-GC does not tax digital_products, "
            "Canary Islands, province of Las Palmas (ES) by postal code, outside the EU VAT area",
        ),
        (
            {"country": "IT", "zipcode": "23030", "city": "Livigno", "state": "SO"},
            0,
            "no tax is collected in Livigno, Livigno (IT) by postal code, outside the EU VAT area",
        ),
        ({"country": "IT", "zipcode": "23030", "city": "Valfurva"}, 2200, "VAT 22 % of IT"),
        ({"country": "FR", "zipcode": "97400"}, 850, "TVA 8.5 % of RE, Réunion (FR) by postal code"),
        ({"country": "DE", "zipcode": "78266"}, 810, "VAT 8.1 % of CH, Büsingen am Hochrhein (DE) by postal code"),
        ({"country": "PT", "zipcode": "9000-064"}, 2200, "IVA 22 % of PT-30, Madeira (PT) by postal code"),
        ({"country": "ES", "state": "Islas Canarias"}, 0, "ES-GC does not tax digital_products"),
        ({"country": "ES", "state": "Islas Canarias", "zipcode": "28001"}, 2100, "VAT 21 % of ES"),
        ({"country": "GB", "zipcode": "BT1 5GS"}, 2000, "VAT 20 % of GB, Northern Ireland (GB) by postal code"),
        ({"country": "US", "zipcode": "75001"}, 625, "Sales tax 6.25 % of US-TX, Texas (US) by postal code"),
        ({"country": "US", "state": "Atlantis", "zipcode": "75001"}, 625, "Sales tax 6.25 % of US-TX"),
        ({"country": "US", "state": "AE", "zipcode": "09012"}, 0, "no tax is collected in Armed Forces Europe"),
        ({"country": "CA", "zipcode": "H3Z 2Y7"}, 1498, "GST+QST 14.975 % of CA-QC, Quebec (CA) by postal code"),
    ],
)
async def test_preview_payment_and_explanation_agree(
    shop: Shop, billing: dict[str, str], tax: int, source: str
) -> None:
    bought = await sold(shop, billing)
    assert bought.amounts == (10_000, 0, tax, 10_000 + tax)
    assert bought.preview is not None and bought.preview["total_tax"] == tax
    assert bought.step("tax")["source"].startswith(source)
    assert bought.explanation["recomputed"] is True


async def test_a_region_without_tax_says_nothing_of_reverse_charge(shop: Shop) -> None:
    bought = await sold(shop, {"country": "DE", "zipcode": "27498"}, tax_id=GERMAN)
    assert bought.amounts == (10_000, 0, 0, 10_000)
    assert "reverse charge" not in bought.step("tax")["source"]


async def test_a_payment_of_the_old_rule_stays_explainable(shop: Shop) -> None:
    """What was stored before regions were known has no region: the stored rate counts, and not today's reading."""
    bought = await sold(shop, {"country": "ES", "state": "Madrid", "zipcode": "28001"})
    payment_id = bought.created["payment_id"]
    async with shop.runtime.database.transaction() as tx:
        old = await tx.fetchval("SELECT pricing FROM payments WHERE payment_id = $1", payment_id)
        for line in old["lines"]:
            del line["tax_place"]
        statement = "UPDATE payments SET pricing = $2, billing = $3 WHERE payment_id = $1"
        await tx.execute(statement, payment_id, old, {"country": "ES", "state": "Madrid", "zipcode": "35001"})
    told = await shop.read(f"/payments/{payment_id}/explain")
    assert (told["recomputed"], told["tax"]) == (True, 2100)
    assert told["steps"] == bought.explanation["steps"]


async def test_a_postal_code_or_a_town_changes_the_price_of_an_open_payment(shop: Shop) -> None:
    created = await shop.create(order_request(item(await shop.product(10_000, "USD")), country="IT", payment_link=True))
    payment_id = created["payment_id"]
    totals = []
    for billing in (
        Address("IT", "Valfurva", "SO", zipcode="23030"),
        Address("IT", "Livigno", "SO", zipcode="23030"),
        Address("IT", "Livigno", "SO", zipcode="23041"),
        Address("IT", "Livigno", "SO", zipcode="20121"),
    ):
        changed = await reprice_payment(shop.runtime, shop.merchant.tenant, payment_id, PaymentChange(billing=billing))
        assert await reload(shop.runtime, changed) == changed
        assert (await shop.read(f"/payments/{payment_id}/explain"))["recomputed"] is True
        totals.append(changed.total_amount)
    assert totals == [12_200, 10_000, 10_000, 12_200]
