"""From a requested cart to priced lines: the ladder of refusals in the contract's order of checks.

The functions are called in this order: `check_products`, `check_country`, then the currency (`fx.charge_currency`),
the tax id, and `price_lines`, which refuses wrong pay-what-you-want amounts. A cart that passed can be priced.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from nicobar.core.payment import Address, Buyer
from nicobar.core.pricing import CartLine, buyer_price
from nicobar.core.problems import Problem
from nicobar.core.product import OneTimePrice, Price
from nicobar.core.tax import TaxDecision


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


class SellableProduct(msgspec.Struct, frozen=True):
    """A product with what a cart needs to know of it."""

    product_id: str
    brand_id: str
    name: str
    description: str | None
    tax_category: str
    price: Price
    pricing_mode: str | None
    archived: bool
    brand_enabled: bool


class CartFacts(msgspec.Struct, frozen=True):
    """What the database knows about a requested cart."""

    customer: Buyer | None
    products: Mapping[str, SellableProduct]
    """The products that exist, by id."""


def check_products(items: Sequence[RequestedItem], products: Mapping[str, SellableProduct]) -> str:
    """Return the brand that sells the cart.

    Raises Problem PRODUCT_CART_EMTPY, NOT_FOUND, PRODUCT_IS_DELETED, UNSUPPORTED_ACTION (not a one-time price),
    BRAND_MISMATCH or BRAND_NOT_ENABLED.
    """
    if not items:
        raise Problem("PRODUCT_CART_EMTPY")
    brands = set()
    for index, item in enumerate(items):
        product = products.get(item.product_id)
        where = f"product_cart[{index}].product_id"
        if product is None:
            raise Problem("NOT_FOUND", what=f"Product {item.product_id}", path=where)
        if product.archived:
            raise Problem("PRODUCT_IS_DELETED", product_id=item.product_id, path=where)
        if not isinstance(product.price, OneTimePrice):
            detail = f"Product {item.product_id} is not a one-time product"
            raise Problem("UNSUPPORTED_ACTION", detail=detail, path=where)
        brands.add(product.brand_id)
    if len(brands) > 1:
        raise Problem("BRAND_MISMATCH", path="product_cart")
    if not all(products[item.product_id].brand_enabled for item in items):
        raise Problem("BRAND_NOT_ENABLED", path="product_cart")
    return brands.pop()


def check_country(country: str, name: str, blocked: Collection[str]) -> None:
    """Refuse a billing country on the business's block list. Raises Problem UNSUPPORTED_COUNTRY."""
    if country in blocked:
        raise Problem("UNSUPPORTED_COUNTRY", country=name, path="billing.country")


def price_lines(
    items: Sequence[RequestedItem],
    products: Mapping[str, SellableProduct],
    taxes: Mapping[str, TaxDecision],
) -> list[CartLine]:
    """Return the lines to quote; `taxes` holds the decision for each tax category of the cart.

    Raises Problem PAY_AS_YOU_WANT_AMOUNT_REQUIRED or REQUEST_AMOUNT_BELOW_MINIMUM.
    """
    lines = []
    for index, item in enumerate(items):
        product = products[item.product_id]
        price = product.price
        assert isinstance(price, OneTimePrice)  # noqa: S101 - check_products refused every other price
        tax = taxes[product.tax_category]
        lines.append(
            CartLine(
                product_id=item.product_id,
                currency=price.currency,
                unit_price=_unit_price(item, price, f"product_cart[{index}].amount"),
                quantity=item.quantity,
                discount_bps=0 if price.pay_what_you_want else price.discount_bps,
                tax_inclusive=bool(price.tax_inclusive),
                tax_rate_ppm=tax.rate_ppm,
                pay_what_you_want=price.pay_what_you_want,
                tax_rule=tax.rule,
                tax_source=tax.source,
            )
        )
    return lines


def _unit_price(item: RequestedItem, price: OneTimePrice, where: str) -> int:
    return buyer_price(price.price, item.amount, path=where) if price.pay_what_you_want else price.price
