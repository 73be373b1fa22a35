"""Localized prices: a merchant's own price for one market, and when it replaces the converted base price.

The rules are section 4 of `money.md`. A localized price is the exact price of one unit before tax, in its own
currency: no exchange rate and no purchasing power parity touch it. A product sets its prices either by country or by
currency (`Product.pricing_mode`), with at most one active price a market.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from nicobar.core.catalog.product import OneTimePrice, Product
from nicobar.core.problems import Problem

PricingMode = Literal["by_currency", "by_country"]
"""What a market is: everyone who pays in one currency, or everyone whose billing address is in one country."""


class LocalizedPrice(msgspec.Struct, frozen=True, kw_only=True):
    """The price of one product in one market."""

    localized_price_id: str
    product_id: str
    pricing_mode: PricingMode
    currency: str
    amount: int
    """Price of one unit before tax, in minor units of `currency`; at least 1."""
    country_code: str | None
    """ISO 3166-1 alpha-2, exactly when the mode is `by_country`."""
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None
    """Since when the price no longer applies; an archived price stays stored."""


def check_new(product: Product, currency: str, country_code: str | None) -> PricingMode:
    """Refuse a price that its product cannot have, and return the mode in which the product takes it.

    Raises Problem UNSUPPORTED_ACTION for a pay-what-you-want product, PRODUCT_PRICING_MODE_REQUIRED,
    LOCALIZED_PRICE_SHAPE_MISMATCH when the country is missing or does not belong there, and
    LOCALIZED_PRICE_DUPLICATES_BASE for a price by currency in the currency that the product has anyway.
    """
    price = product.price
    if isinstance(price, OneTimePrice) and price.pay_what_you_want:
        raise Problem(
            "UNSUPPORTED_ACTION",
            detail="A pay-what-you-want product takes no localized prices: its customers choose the amount.",
        )
    if product.pricing_mode is None:
        raise Problem("PRODUCT_PRICING_MODE_REQUIRED")
    if (product.pricing_mode == "by_country") != (country_code is not None):
        raise Problem("LOCALIZED_PRICE_SHAPE_MISMATCH", path="country_code")
    if product.pricing_mode == "by_country":
        return "by_country"
    if currency == price.currency:
        raise Problem("LOCALIZED_PRICE_DUPLICATES_BASE", path="currency")
    return "by_currency"


def candidate(
    prices: Sequence[LocalizedPrice], pricing_mode: str | None, country: str, currency: str | None
) -> LocalizedPrice | None:
    """Return the active price of the buyer's market, or None: what a line asks for before the charge currency is known.

    `country` is the billing country. `currency` is the buyer's: the one the request asks for, else the billing
    country's own; None when neither is known. A price by country is found whatever its currency, a price by currency
    only by `currency`. Pass no prices for a pay-what-you-want product: its buyer's amount is final.
    """
    for price in prices:
        if price.archived_at is not None or price.pricing_mode != pricing_mode:
            continue
        if price.country_code == country if pricing_mode == "by_country" else price.currency == currency:
            return price
    return None


def agreed_currency(
    candidates: Sequence[LocalizedPrice | None], base_currencies: Sequence[str], *, adaptive: bool
) -> str | None:
    """Return the charge currency that the localized prices of a cart decide, or None when they decide none.

    `candidates` holds the `candidate` of every line and `base_currencies` the currency of every product. A localized
    price is charged in its own currency, and a cart has only one: the prices decide when they all agree on it. With
    adaptive pricing the lines without a localized price are then converted into it. Without adaptive pricing nothing
    is ever converted, so each of these lines must have it as its base currency.

    None means that `fx.charge_currency` decides, as it does for a cart without localized prices; so it does, too, when
    adaptive pricing is on and the request fixes `billing_currency`, which the caller looks at first.
    """
    agreed = {price.currency for price in candidates if price is not None}
    if len(agreed) != 1:
        return None
    (currency,) = agreed
    if adaptive:
        return currency
    bases_fit = all(
        price is not None or base == currency for price, base in zip(candidates, base_currencies, strict=True)
    )
    return currency if bases_fit else None


def choose(
    prices: Sequence[LocalizedPrice], pricing_mode: str | None, country: str, currency: str
) -> LocalizedPrice | None:
    """Return the localized price that a line of the cart is charged, or None for its base price.

    `country` is the billing country and `currency` the charge currency of the whole cart, which is decided before, in
    this order: the request's `billing_currency` where adaptive pricing is on; the currency on which the lines'
    localized prices agree (`agreed_currency`); then what `fx.charge_currency` chooses without them.

    A price by country applies only when its currency is the charge currency. Its amount is exact and may not be
    converted, so when another line or the request wins the currency, the line falls back to its base price, as in a
    market without a price.
    """
    found = candidate(prices, pricing_mode, country, currency)
    return found if found is not None and found.currency == currency else None
