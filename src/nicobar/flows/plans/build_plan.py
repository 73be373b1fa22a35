"""Put a plan together of a product and add-ons, at the prices of today. No I/O."""

from collections.abc import Mapping, Sequence
from typing import cast

from nicobar.core.catalog.addon import Addon, RequestedAddon
from nicobar.core.catalog.localized_price import LocalizedPrice
from nicobar.core.catalog.product import OneTimePrice, RecurringPrice
from nicobar.core.pricing.cart import SellableProduct
from nicobar.core.pricing.quote import KeptProduct
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.calendar import Interval, Span
from nicobar.core.subscriptions.plan import MAXIMUM_ADDONS, Plan, PlanLine, frequency_of
from nicobar.core.tax.tax import Category


def build_plan(
    product: SellableProduct,
    price: RecurringPrice,
    quantity: int,
    addons: Sequence[RequestedAddon],
    known_addons: Mapping[str, Addon],
    localized: Sequence[LocalizedPrice],
    *,
    default_tax_inclusive: bool,
    path: str = "addons",
) -> Plan:
    """Return the plan. `known_addons` are those that the product has and that exist, by id; `path` is
    where a refusal finds the add-ons.

    Raises Problem DUPLICATE_ADDON_IDS_IN_REQUEST, MISSING_ADDON_IDS for an add-on that the product does not have, and
    INVALID_REQUEST_PARAMETERS for more add-ons than a plan can have.
    """
    ids = [addon.addon_id for addon in addons]
    if len(set(ids)) < len(ids):
        raise Problem("DUPLICATE_ADDON_IDS_IN_REQUEST", path=path)
    missing = [each for each in ids if each not in known_addons or known_addons[each].archived_at is not None]
    if missing:
        raise Problem("MISSING_ADDON_IDS", ids=", ".join(missing), path=path)
    if len(ids) > MAXIMUM_ADDONS:
        detail = f"A subscription has at most {MAXIMUM_ADDONS} add-ons"
        raise Problem("INVALID_REQUEST_PARAMETERS", detail=detail, path=path)
    inclusive = default_tax_inclusive if price.tax_inclusive is None else price.tax_inclusive
    sold = KeptProduct(
        product.product_id,
        OneTimePrice(
            price.currency,
            price.price,
            discount_bps=price.discount_bps,
            purchasing_power_parity=price.purchasing_power_parity,
            tax_inclusive=inclusive,
        ),
        product.pricing_mode,
        tuple(localized),
    )
    return Plan(
        product=PlanLine(
            sold=sold,
            name=product.name,
            description=product.description,
            tax_category=product.tax_category,
            quantity=quantity,
        ),
        addons=tuple(_addon_line(known_addons[each.addon_id], each.quantity, inclusive) for each in addons),
        frequency=frequency_of(price),
        term=Span(price.subscription_period_count, cast(Interval, price.subscription_period_interval)),
    )


def _addon_line(addon: Addon, quantity: int, inclusive: bool) -> PlanLine:
    """Return the line of an add-on; whether its price contains the tax goes with the product."""
    return PlanLine(
        sold=KeptProduct(addon.addon_id, OneTimePrice(addon.currency, addon.price, tax_inclusive=inclusive)),
        name=addon.name,
        description=addon.description,
        tax_category=cast(Category, addon.tax_category),
        quantity=quantity,
    )
