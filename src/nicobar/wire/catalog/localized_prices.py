"""The wire types of localized prices (contract, "Products"), and how one is rendered."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from nicobar.core.catalog.localized_price import LocalizedPrice
from nicobar.wire.codes import CountryCode, CurrencyCode, PricingModeName
from nicobar.wire.common import PositiveInt32, RequestBody, ResponseBody
from nicobar.wire.misnamed import names


class LocalizedPriceCreate(RequestBody, frozen=True, kw_only=True):
    """The body of POST /products/{product_id}/localized-prices."""

    amount: PositiveInt32
    """Price of one unit before tax, in minor units of `currency`."""
    currency: CurrencyCode
    country_code: CountryCode | None = None
    """Required when the product's `pricing_mode` is `by_country`, forbidden when it is `by_currency`."""


class LocalizedPriceUpdate(RequestBody, frozen=True, kw_only=True):
    """The body of PATCH /products/{product_id}/localized-prices/{id}: the market of a price cannot change."""

    instead: ClassVar[Mapping[str, str]] = names("amount price unit_price unit_amount", "Send amount.")
    amount: PositiveInt32 | None = None
    """Minor units; null keeps the amount."""


class LocalizedPriceRead(ResponseBody, frozen=True, kw_only=True):
    """A localized price."""

    id: str
    amount: int
    created_at: datetime
    currency: str
    mode: PricingModeName
    product_id: str
    updated_at: datetime
    country_code: str | None


class LocalizedPriceList(ResponseBody, frozen=True, kw_only=True):
    """The active localized prices of a product, unpaged."""

    items: list[LocalizedPriceRead]


def render_localized_price(price: LocalizedPrice) -> LocalizedPriceRead:
    """Render one localized price."""
    return LocalizedPriceRead(
        id=price.localized_price_id,
        amount=price.amount,
        created_at=price.created_at,
        currency=price.currency,
        mode=price.pricing_mode,
        product_id=price.product_id,
        updated_at=price.updated_at,
        country_code=price.country_code,
    )
