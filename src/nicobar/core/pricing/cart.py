"""From a requested cart to priced lines: the ladder of refusals in the contract's order of checks.

`flows/pricing/quote_cart.py` calls them in this order: `check_products`, `check_country`, then the currency
(`buyers_currency`, `fx.charge_currency`), the tax id, and `price_lines`, which refuses wrong pay-what-you-want amounts.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from nicobar.core.catalog.localized_price import LocalizedPrice, agreed_currency, candidate, choose
from nicobar.core.catalog.product import OneTimePrice, Price, RecurringPrice
from nicobar.core.customers.buyer import Address, Buyer
from nicobar.core.pricing.pricing import buyer_price
from nicobar.core.pricing.quote import UNCHANGED, CartLine, ConvertedFee
from nicobar.core.problems import Problem
from nicobar.core.tax.tax import Category, TaxDecision

MAXIMUM_QUANTITY: Final = 10_000
"""Units of one cart line."""


class RequestedItem(msgspec.Struct, frozen=True):
    """One line as the request has it."""

    product_id: str
    quantity: int
    amount: int | None = None
    """Pay-what-you-want: the price of one unit in the product's currency."""


class CartRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in a request that decides a price."""

    items: Sequence[RequestedItem]
    billing: Address
    customer_id: str | None = None
    email_key: str | None = None
    """How an existing customer is found when no id is given."""
    billing_currency: str | None = None
    fees_inclusive: bool | None = None
    """None means the business's setting."""
    tax_id: str | None = None
    discount_codes: Sequence[str] = ()
    single_code: bool = False
    """Whether the code stood in the deprecated field `discount_code`, which a refusal then names."""
    suggest_amounts: bool = False
    """Whether a pay-what-you-want line without an amount is priced at what the product suggests: for previews."""


class SellableProduct(msgspec.Struct, frozen=True):
    """A product with what a cart needs to know of it."""

    product_id: str
    brand_id: str
    name: str
    description: str | None
    tax_category: Category
    price: Price
    pricing_mode: str | None
    archived: bool
    brand_enabled: bool
    converted: ConvertedFee | None = None
    """How the price bears a conversion fee, when a charge of a subscription converted it already."""


class CartFacts(msgspec.Struct, frozen=True):
    """What the database knows about a requested cart."""

    customer: Buyer | None
    products: Mapping[str, SellableProduct]
    """The products that exist, by id."""


def check_products(items: Sequence[RequestedItem], products: Mapping[str, SellableProduct]) -> str:
    """Return the brand that sells the cart.

    Raises Problem PRODUCT_CART_EMTPY, NOT_FOUND, PRODUCT_IS_DELETED, UNSUPPORTED_ACTION (not a one-time price),
    MISSING_PRODUCT_INFORMATION (no name: the API does not store such a product, an import could), BRAND_MISMATCH or
    BRAND_NOT_ENABLED.
    """
    if not items:
        raise Problem("PRODUCT_CART_EMTPY")
    brands = {
        require_sold_once(products, item.product_id, f"product_cart[{index}].product_id").brand_id
        for index, item in enumerate(items)
    }
    if len(brands) > 1:
        raise Problem("BRAND_MISMATCH", path="product_cart")
    if not all(products[item.product_id].brand_enabled for item in items):
        raise Problem("BRAND_NOT_ENABLED", path="product_cart")
    return brands.pop()


def require_product(products: Mapping[str, SellableProduct], product_id: str, path: str) -> SellableProduct:
    """Return a product that is still sold; `path` is where a refusal finds it.

    Raises Problem NOT_FOUND or PRODUCT_IS_DELETED.
    """
    product = products.get(product_id)
    if product is None:
        raise Problem("NOT_FOUND", what=f"Product {product_id}", path=path)
    if product.archived:
        raise Problem("PRODUCT_IS_DELETED", product_id=product_id, path=path)
    return product


def require_sold_once(products: Mapping[str, SellableProduct], product_id: str, path: str) -> SellableProduct:
    """Return a product that is sold once.

    Raises Problem as `require_product` does, UNSUPPORTED_ACTION or MISSING_PRODUCT_INFORMATION.
    """
    product = require_product(products, product_id, path)
    if not isinstance(product.price, OneTimePrice):
        raise Problem("UNSUPPORTED_ACTION", detail=_not_sold_once(product), path=path)
    if not product.name.strip():
        raise Problem("MISSING_PRODUCT_INFORMATION", product_id=product_id, path=path)
    return product


def _not_sold_once(product: SellableProduct) -> str:
    sold = "POST /subscriptions and POST /checkouts sell subscriptions"
    way = sold if isinstance(product.price, RecurringPrice) else "this server has no meters, by which it is sold"
    return f"Product {product.product_id} is not a one-time product; {way}"


def check_country(country: str, name: str, blocked: Collection[str]) -> None:
    """Refuse a billing country on the business's block list. Raises Problem UNSUPPORTED_COUNTRY."""
    if country in blocked:
        raise Problem("UNSUPPORTED_COUNTRY", country=name, path="billing.country")


class Pricing(msgspec.Struct, frozen=True):
    """What decides the price of a cart's lines besides the products themselves."""

    country: str
    """ISO 3166-1 code of the billing country."""
    currency: str
    """The charge currency."""
    taxes: Mapping[str, TaxDecision]
    """The decision for each tax category of the cart."""
    localized: Mapping[str, Sequence[LocalizedPrice]]
    """The active localized prices by product."""
    purchasing_power_percent: int
    """Percent of the list price that buyers of the country pay where a price opts in; 100 is the whole."""
    default_tax_inclusive: bool
    """Whether a price that leaves it open contains the tax."""
    suggest_amounts: bool = False
    """As in `CartRequest`."""


def buyers_currency(
    items: Sequence[RequestedItem],
    products: Mapping[str, SellableProduct],
    localized: Mapping[str, Sequence[LocalizedPrice]],
    country: str,
    wanted: str | None,
    *,
    adaptive: bool,
) -> str | None:
    """Return the charge currency on which the localized prices of a cart agree, or None when they decide none.

    `wanted` is the currency the request asks for, else the billing country's own.
    """
    if not localized:
        return None
    candidates = [
        candidate(localized.get(item.product_id, ()), products[item.product_id].pricing_mode, country, wanted)
        for item in items
    ]
    return agreed_currency(candidates, [products[item.product_id].price.currency for item in items], adaptive=adaptive)


def price_lines(
    items: Sequence[RequestedItem], products: Mapping[str, SellableProduct], pricing: Pricing
) -> list[CartLine]:
    """Return the lines to quote.

    Raises Problem PAY_AS_YOU_WANT_AMOUNT_REQUIRED or REQUEST_AMOUNT_BELOW_MINIMUM.
    """
    return [
        _line(item, products[item.product_id], pricing, f"product_cart[{index}].amount")
        for index, item in enumerate(items)
    ]


def _line(item: RequestedItem, product: SellableProduct, pricing: Pricing, where: str) -> CartLine:
    price = product.price
    assert isinstance(price, OneTimePrice)  # noqa: S101 - check_products refused every other price
    tax = pricing.taxes[product.tax_category]
    currency, unit_price, localized = _unit_price(item, product, price, pricing, where)
    tax_inclusive = pricing.default_tax_inclusive if price.tax_inclusive is None else price.tax_inclusive
    return CartLine(
        product_id=product.product_id,
        currency=currency,
        unit_price=unit_price,
        quantity=item.quantity,
        discount_bps=0 if price.pay_what_you_want else price.discount_bps,
        tax_inclusive=not localized and tax_inclusive,  # a localized price is before tax (contract, "Localized prices")
        tax_rate_ppm=tax.rate_ppm,
        ppp_percent=pricing.purchasing_power_percent if price.purchasing_power_parity else UNCHANGED,
        localized=localized,
        pay_what_you_want=price.pay_what_you_want,
        converted=product.converted,
        tax_rule=tax.rule,
        tax_source=tax.source,
        tax_place=tax.place,
    )


def _unit_price(
    item: RequestedItem, product: SellableProduct, price: OneTimePrice, pricing: Pricing, where: str
) -> tuple[str, int, bool]:
    """Return currency and amount of one unit before discounts, and whether that is a localized price."""
    if price.pay_what_you_want:
        amount = item.amount
        if amount is None and pricing.suggest_amounts:
            amount = price.price if price.suggested_price is None else price.suggested_price
        return price.currency, buyer_price(price.price, amount, path=where), False
    if pricing.localized:
        prices = pricing.localized.get(product.product_id, ())
        market = choose(prices, product.pricing_mode, pricing.country, pricing.currency)
        if market is not None:
            return market.currency, market.amount, True
    return price.currency, price.price, False
