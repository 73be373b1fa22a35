"""Refuse a product that no subscription can be made of. No I/O."""

from collections.abc import Mapping

from nicobar.core.catalog.product import OneTimePrice, RecurringPrice
from nicobar.core.pricing.cart import SellableProduct, require_product
from nicobar.core.problems import Problem


def require_recurring(
    products: Mapping[str, SellableProduct], product_id: str, path: str
) -> tuple[SellableProduct, RecurringPrice]:
    """Return the product with its recurring price.

    Raises Problem as `require_product` does, and UNSUPPORTED_ACTION for a price of another kind.
    """
    product = require_product(products, product_id, path)
    if not isinstance(product.price, RecurringPrice):
        once = isinstance(product.price, OneTimePrice)
        kind = "a one-time product" if once else "sold by measured use"
        detail = f"Product {product_id} is {kind}; subscriptions need a recurring price"
        detail += ". POST /payments and POST /checkouts sell one-time products" if once else ""
        raise Problem("UNSUPPORTED_ACTION", detail=detail, path=path)
    return product, product.price
