"""What a subscription is charged for each cycle: the product and its add-ons, at the prices of the day they were sold.

Price changes of a product do not touch running subscriptions (contract, "Renewals and the payments made").
"""

from collections.abc import Sequence
from typing import Final, cast

import msgspec

from nicobar.core.catalog.localized_price import LocalizedPrice
from nicobar.core.catalog.product import OneTimePrice, RecurringPrice
from nicobar.core.discounts.discounts import DiscountTerms
from nicobar.core.pricing.cart import RequestedItem, SellableProduct
from nicobar.core.pricing.quote import KeptProduct
from nicobar.core.subscriptions.calendar import Interval, Span
from nicobar.core.tax.tax import Category

MAXIMUM_ADDONS: Final = 10
"""Add-ons of one product (contract, "Add-ons")."""


class PlanLine(msgspec.Struct, frozen=True, kw_only=True):
    """A product or an add-on as it was sold, and how many of it."""

    sold: KeptProduct
    """Its id and its price for one cycle."""
    name: str
    description: str | None
    tax_category: Category
    quantity: int

    @property
    def price(self) -> OneTimePrice:
        """The price of one unit for one cycle, before discounts, in its own currency."""
        return self.sold.price


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is bought again every cycle."""

    product: PlanLine
    addons: tuple[PlanLine, ...] = ()
    frequency: Span
    """The billing cycle."""
    term: Span
    """The whole life of the subscription."""

    @property
    def product_id(self) -> str:
        """The product."""
        return self.product.sold.product_id

    @property
    def lines(self) -> tuple[PlanLine, ...]:
        """The product, then the add-ons."""
        return (self.product, *self.addons)

    def items(self) -> list[RequestedItem]:
        """Return what a cart with one cycle of the plan holds."""
        return [RequestedItem(line.sold.product_id, line.quantity) for line in self.lines]

    def products(self, brand_id: str) -> dict[str, SellableProduct]:
        """Return the products of that cart, as they were sold."""
        return {line.sold.product_id: sellable(line, brand_id) for line in self.lines}

    def localized(self) -> dict[str, Sequence[LocalizedPrice]]:
        """Return the localized prices that were active when it was sold, by product."""
        return {line.sold.product_id: line.sold.localized for line in self.lines if line.sold.localized}


class RunningCode(msgspec.Struct, frozen=True, kw_only=True):
    """A discount code of a subscription."""

    terms: DiscountTerms
    """What it is worth in the subscription's currency."""
    cycles_remaining: int | None
    """Charged cycles for which it still works; None for all."""
    preserve_on_plan_change: bool

    @property
    def works(self) -> bool:
        """Whether the next charged cycle gets it."""
        return self.cycles_remaining != 0


def frequency_of(price: RecurringPrice) -> Span:
    """Return the billing cycle of a price."""
    return Span(price.payment_frequency_count, cast(Interval, price.payment_frequency_interval))


def sellable(line: PlanLine, brand_id: str) -> SellableProduct:
    """Return what a cart needs to know about a line of a plan."""
    return SellableProduct(
        product_id=line.sold.product_id,
        brand_id=brand_id,
        name=line.name,
        description=line.description,
        tax_category=line.tax_category,
        price=line.price,
        pricing_mode=line.sold.pricing_mode,
        archived=False,
        brand_enabled=True,
    )


def working_terms(codes: Sequence[RunningCode]) -> list[DiscountTerms]:
    """Return the terms of the codes that the next charged cycle gets, in their order."""
    return [code.terms for code in codes if code.works]


def after_a_cycle(codes: Sequence[RunningCode]) -> tuple[RunningCode, ...]:
    """Return the codes after one more charged cycle."""
    return tuple(
        msgspec.structs.replace(code, cycles_remaining=code.cycles_remaining - 1) if code.cycles_remaining else code
        for code in codes
    )
