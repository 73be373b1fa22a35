"""Products and their prices."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from nicobar.core.fields import blank_to_none, checked_web_address
from nicobar.core.money.money import round_half_up
from nicobar.core.problems import Problem

LONGEST_PERIOD: Final = {"Day": 7305, "Week": 1043, "Month": 240, "Year": 20}
"""The longest subscription period of 20 years, by its unit (library 1.123.0, `subscription_period_count`)."""


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
    """What is measured, each as the contract shapes it; this server measures nothing."""
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
    image_id: str | None
    """Its picture."""
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


class NewProduct(msgspec.Struct, frozen=True, kw_only=True):
    """A product to create. A blank text counts as none."""

    name: str
    price: Price
    tax_category: str
    description: str | None = None
    brand_id: str | None = None
    """None: the primary brand."""
    metadata: dict[str, Any] = {}
    pricing_mode: str | None = None
    extras: dict[str, Any] = {}
    """As in `Product`."""


class ProductChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change about a product; everything that is left out stays as it is."""

    name: str | UnsetType = UNSET
    price: Price | UnsetType = UNSET
    tax_category: str | UnsetType = UNSET
    brand_id: str | UnsetType = UNSET
    """A blank one keeps the brand."""
    metadata: dict[str, Any] | UnsetType = UNSET
    """Replaces all pairs."""
    image_id: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    pricing_mode: str | UnsetType | None = UNSET
    extras: dict[str, Any] = {}
    """The extras that change, by name; None clears one where it can be empty."""


class PriceRules(NamedTuple):
    """What a business allows of a price."""

    least_cycle: int
    """What a cycle of a recurring price costs at least, in minor units, where it is not free."""
    takes_parity: bool
    """Whether it may have purchasing power parity, which does nothing without adaptive pricing."""


def check_price(price: Price, rules: PriceRules) -> None:
    """Refuse a price whose fields contradict each other (contract, "Unit price" and "Products"), or the rules.

    Raises Problem INVALID_SUGGESTED_PRICE, DUPLICATE_METER_IDS_IN_REQUEST, INVALID_REQUEST_PARAMETERS or
    ppp_not_enabled_for_business.
    """
    if price.purchasing_power_parity and not rules.takes_parity:
        raise Problem("ppp_not_enabled_for_business", path="price.purchasing_power_parity")
    if isinstance(price, OneTimePrice):
        suggested = price.suggested_price
        if price.pay_what_you_want and suggested is not None and suggested < price.price:
            raise Problem("INVALID_SUGGESTED_PRICE", path="price.suggested_price")
        return
    _check_period(price)
    if isinstance(price, RecurringPrice):
        if 0 < price.price < rules.least_cycle:
            raise _contradiction("price", f"It must be 0 or at least {rules.least_cycle}, which is 1 US dollar.")
        if price.trial_amount and not price.trial_period_days:
            raise _contradiction("trial_amount", "A paid trial needs trial_period_days above 0.")
    else:
        _check_meters(price.meters or [])


def _check_period(price: RecurringPrice | UsagePrice) -> None:
    for field in ("payment_frequency", "subscription_period"):
        unit = getattr(price, f"{field}_interval")
        if getattr(price, f"{field}_count") > LONGEST_PERIOD[unit]:
            raise _contradiction(f"{field}_count", f"It cannot be longer than 20 years, here {LONGEST_PERIOD[unit]}.")


def _check_meters(meters: list[dict[str, Any]]) -> None:
    seen: set[str] = set()
    for index, meter in enumerate(meters):
        if meter["meter_id"] in seen:
            raise Problem("DUPLICATE_METER_IDS_IN_REQUEST", path=f"price.meters[{index}].meter_id")
        seen.add(meter["meter_id"])
        if meter["credit_entitlement_id"] is not None and meter["meter_units_per_credit"] is None:
            raise _contradiction(f"meters[{index}].meter_units_per_credit", "credit_entitlement_id needs it.")
        per_unit = meter["price_per_unit"]
        if per_unit is not None and not per_unit.strip("0."):
            raise _contradiction(f"meters[{index}].price_per_unit", "It must be above zero.")


def _contradiction(field: str, detail: str) -> Problem:
    return Problem("INVALID_REQUEST_PARAMETERS", path=f"price.{field}", detail=detail)


_ALWAYS_SHOWN: Final = frozenset({"entitlements", "credit_entitlements", "license_key_enabled"})
"""Extras that are never null, so that null cannot clear them."""


def changed_extras(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored extras with those that are given; None clears one where it can be empty.

    Raises Problem NOT_FOUND for an uploaded file, INVALID_REQUEST_PARAMETERS for a credit entitlement named twice, and
    INVALID_REQUEST_BODY for a malformed web address.
    """
    extras = dict(stored)
    for name, value in given.items():
        checked = _checked_extra(name, value)
        if checked is not None:
            extras[name] = checked
        elif name not in _ALWAYS_SHOWN:
            extras.pop(name, None)
    _refuse_repeated_credits(extras.get("credit_entitlements", []))
    return extras


def _checked_extra(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return blank_to_none(value)
    if name != "digital_product_delivery" or value is None:
        return value
    if value["files"]:
        raise Problem("NOT_FOUND", what="File", path=f"{name}.files[0]")
    address = checked_web_address(value["external_url"], f"{name}.external_url")
    return {"external_url": address, "files": None, "instructions": blank_to_none(value["instructions"])}


def _refuse_repeated_credits(links: Sequence[Mapping[str, Any]]) -> None:
    ids = [link["credit_entitlement_id"] for link in links]
    for index, credit_entitlement_id in enumerate(ids):
        if credit_entitlement_id in ids[:index]:
            raise Problem(
                "INVALID_REQUEST_PARAMETERS",
                path=f"credit_entitlements[{index}].credit_entitlement_id",
                detail="It is in the list twice.",
            )


def charged_amount(price: Price) -> int:
    """Return the amount that a list shows for a price: minor units, before discounts and metered use."""
    return price.fixed_price if isinstance(price, UsagePrice) else price.price


def is_recurring(price: Price) -> bool:
    """Return whether the price belongs to a subscription; usage is billed in periods, too."""
    return not isinstance(price, OneTimePrice)


def discount_percent(discount_bps: int) -> int:
    """Return the deprecated whole-percent `discount` of a price, half-up (contract, "Unit price")."""
    return round_half_up(discount_bps, 100)
