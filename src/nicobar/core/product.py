"""Products and their prices."""

from datetime import datetime
from typing import Any

import msgspec

from nicobar.core.money import round_half_up


class OneTimePrice(msgspec.Struct, frozen=True, tag_field="type", tag="one_time_price", omit_defaults=False):
    """A price that is paid once."""

    currency: str
    price: int
    """Minor units of `currency`; with `pay_what_you_want`, the least that a customer may pay."""
    discount_bps: int = 0
    """Basis points off the price."""
    pay_what_you_want: bool = False
    suggested_price: int | None = None
    purchasing_power_parity: bool = False
    tax_inclusive: bool | None = None
    """None means exclusive."""


class RecurringPrice(msgspec.Struct, frozen=True, tag_field="type", tag="recurring_price", kw_only=True):
    """A price that is paid again every period: stored and returned, refused in a one-time cart."""

    currency: str
    price: int
    payment_frequency_count: int
    payment_frequency_interval: str
    subscription_period_count: int
    subscription_period_interval: str
    discount_bps: int = 0
    purchasing_power_parity: bool = False
    tax_inclusive: bool | None = None
    trial_amount: int | None = None
    trial_apply_discounts: bool = False
    trial_payment_method_optional: bool = False
    trial_period_days: int = 0
    zero_amount_payment_method_optional: bool = False


class UsagePrice(msgspec.Struct, frozen=True, tag_field="type", tag="usage_based_price", kw_only=True):
    """A price by measured use: stored and returned, refused in a one-time cart."""

    currency: str
    fixed_price: int
    payment_frequency_count: int
    payment_frequency_interval: str
    subscription_period_count: int
    subscription_period_interval: str
    discount_bps: int = 0
    meters: list[dict[str, Any]] | None = None
    purchasing_power_parity: bool = False
    tax_inclusive: bool | None = None


Price = OneTimePrice | RecurringPrice | UsagePrice


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a business sells."""

    business_id: str
    product_id: str
    brand_id: str
    name: str
    description: str | None
    image: str | None
    tax_category: str
    price: Price
    is_recurring: bool
    pricing_mode: str | None
    metadata: dict[str, Any]
    extras: dict[str, Any]
    """Contract fields that are stored and returned but decide nothing in a one-time payment."""
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


def discount_percent(discount_bps: int) -> int:
    """Return the deprecated whole-percent `discount` of a price, half-up (contract, "Unit price")."""
    return round_half_up(discount_bps, 100)
