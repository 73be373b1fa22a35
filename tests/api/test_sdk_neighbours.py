"""The official library drives every operation on products, customers, brands, countries and languages.

It validates each answer strictly; beyond that, every key that the library knows must be in the raw JSON, because
clients in other languages read keys that the Python models would fill in silently.
"""

from datetime import UTC, datetime
from typing import Any

import dodopayments
import pytest
from dodopayments.types import (
    Brand,
    BrandArchiveResponse,
    CreditEntitlementMappingResponse,
    Customer,
    DigitalProductDelivery,
    Product,
    ProductEntitlementSummary,
    ProductListResponse,
)
from dodopayments.types.price import OneTimePrice, RecurringPrice, UsageBasedPrice
from pydantic import BaseModel

from api.answers import has_every_key
from harness import FakeClock, Merchant, Server

ONCE: Any = {"type": "one_time_price", "currency": "USD", "price": 1999, "discount_bps": 1250}
PERIODS: Any = {
    "payment_frequency_count": 1,
    "payment_frequency_interval": "Month",
    "subscription_period_count": 20,
    "subscription_period_interval": "Year",
}
MONTHLY: Any = {"type": "recurring_price", "currency": "EUR", "price": 900} | PERIODS
METERED: Any = {
    "type": "usage_based_price",
    "currency": "USD",
    "fixed_price": 5,
    "meters": [{"meter_id": "m"}],
} | PERIODS


@pytest.mark.parametrize(
    ("price", "model"), [(ONCE, OneTimePrice), (MONTHLY, RecurringPrice), (METERED, UsageBasedPrice)]
)
async def test_a_product_created_and_read(
    sdk: dodopayments.AsyncDodoPayments, price: Any, model: type[BaseModel]
) -> None:
    raw = await sdk.products.with_raw_response.create(
        name="Guide",
        price=price,
        tax_category="e_book",
        entitlements=[{"entitlement_id": "ent_1"}],
        credit_entitlements=[{"credit_entitlement_id": "cde_1", "credits_amount": "5"}],
        digital_product_delivery={"instructions": "Unzip"},
        license_key_duration={"count": 1, "interval": "Year"},
        metadata={"a": "b", "n": 1.5, "t": True},
    )
    product = await raw.parse()
    assert product.name == "Guide"
    assert isinstance(product.price, model)
    body = raw.http_response.json()
    has_every_key(body, Product)
    has_every_key(body["price"], model)
    has_every_key(body["entitlements"][0], ProductEntitlementSummary)
    has_every_key(body["credit_entitlements"][0], CreditEntitlementMappingResponse)
    has_every_key(body["digital_product_delivery"], DigitalProductDelivery)
    read = await sdk.products.with_raw_response.retrieve(product.product_id, locale="fr")
    assert read.http_response.json() == body
    assert await read.parse() == product


async def test_a_product_listed_changed_and_archived(sdk: dodopayments.AsyncDodoPayments) -> None:
    made = await sdk.products.create(name="Guide", price=ONCE, tax_category="e_book")
    raw = await sdk.products.with_raw_response.list(page_size=1, page_number=0, recurring=False, archived=False)
    page = await raw.parse()
    assert [item.product_id for item in page.items] == [made.product_id]
    has_every_key(raw.http_response.json()["items"][0], ProductListResponse)
    products: Any = sdk.products  # typed as returning nothing, which is what is asserted
    assert await products.update(made.product_id, name="Atlas", description=None, price=ONCE) is None
    assert (await sdk.products.retrieve(made.product_id)).name == "Atlas"
    assert await products.archive(made.product_id) is None
    with pytest.raises(dodopayments.APIStatusError) as caught:
        await sdk.products.archive(made.product_id)
    assert caught.value.status_code == 410
    assert [item.name for item in (await sdk.products.list(archived=True)).items] == ["Atlas"]
    assert await products.unarchive(made.product_id) is None
    assert [item.name for item in (await sdk.products.list()).items] == ["Atlas"]
    with pytest.raises(dodopayments.NotFoundError):
        await sdk.products.retrieve("pdt_unknown")


async def test_customers(sdk: dodopayments.AsyncDodoPayments, clock: FakeClock) -> None:
    raw = await sdk.customers.with_raw_response.create(email="ada@example.com", name="Ada", preferred_locale="ka")
    ada = await raw.parse()
    has_every_key(raw.http_response.json(), Customer)
    assert await sdk.customers.create(email="ADA@example.com", name="Twin") == ada
    assert await sdk.customers.retrieve(ada.customer_id) == ada
    assert ada.created_at == clock.now()
    changed = await sdk.customers.update(
        ada.customer_id, phone_number="+14155552671", metadata={"tier": "gold"}, preferred_locale=None
    )
    assert (changed.phone_number, changed.metadata, changed.preferred_locale) == (
        "+14155552671",
        {"tier": "gold"},
        None,
    )
    raw_list = await sdk.customers.with_raw_response.list(
        email="Ada@Example.com", name="da", created_at_gte=datetime(2026, 1, 1, tzinfo=UTC), created_at_lte=clock.now()
    )
    assert [item async for item in await raw_list.parse()] == [changed]
    has_every_key(raw_list.http_response.json()["items"][0], Customer)
    with pytest.raises(dodopayments.UnprocessableEntityError):
        await sdk.customers.create(email="ada", name="Ada")


async def test_brands(sdk: dodopayments.AsyncDodoPayments, merchant: Merchant) -> None:
    raw = await sdk.brands.with_raw_response.create(name="Atlas", url="https://atlas.example/")
    brand = await raw.parse()
    has_every_key(raw.http_response.json(), Brand)
    assert await sdk.brands.retrieve(brand.brand_id) == brand
    assert (await sdk.brands.update(brand.brand_id, name="Atlas II")).name == "Atlas II"
    with pytest.raises(dodopayments.PermissionDeniedError):
        await sdk.brands.update(merchant.business_id, name="Other")
    await sdk.products.create(name="Guide", price=ONCE, tax_category="e_book", brand_id=brand.brand_id)
    archived = await sdk.brands.with_raw_response.archive(brand.brand_id, move_products_to=merchant.business_id)
    has_every_key(archived.http_response.json(), BrandArchiveResponse)
    assert (await archived.parse()).products_moved == 1
    assert [item.brand_id for item in (await sdk.brands.list()).items] == [merchant.business_id]
    everything = await sdk.brands.with_raw_response.list(include_archived=True)
    assert [item.brand_id for item in (await everything.parse()).items] == [merchant.business_id, brand.brand_id]
    has_every_key(everything.http_response.json()["items"][1], Brand)


async def test_countries_and_locales(sdk: dodopayments.AsyncDodoPayments) -> None:
    assert len(await sdk.misc.list_supported_countries()) == 226
    assert [locale.native_name for locale in await sdk.misc.list_locales()][4] == "English"


def test_the_sync_client_over_a_socket(server: Server) -> None:
    with dodopayments.DodoPayments(
        bearer_token=server.key, base_url=server.base_url, max_retries=0, _strict_response_validation=True
    ) as client:
        product = client.products.create(name="Guide", price=ONCE, tax_category="e_book")
        products: Any = client.products
        assert products.update(product.product_id, name="Atlas") is None
        assert client.products.retrieve(product.product_id).name == "Atlas"
        assert products.archive(product.product_id) is None
        customer = client.customers.create(email="ada@example.com", name="Ada")
        assert client.customers.retrieve(customer.customer_id) == customer
        assert [item.customer_id for item in client.customers.list(email="ada@example.com").items] == [
            customer.customer_id
        ]
        assert client.brands.retrieve(server.tenant.business_id).name == "Dodo Records"
        assert len(client.misc.list_supported_countries()) == 226
    with dodopayments.DodoPayments(bearer_token=server.read_only_key, base_url=server.base_url) as reader:
        with pytest.raises(dodopayments.PermissionDeniedError):
            reader.brands.create(name="Atlas")
        assert [item.name for item in reader.products.list(archived=True).items] == ["Atlas"]
    with dodopayments.DodoPayments(bearer_token=server.live_key, base_url=server.base_url) as live:
        assert live.customers.list(page_number=0).items == []
