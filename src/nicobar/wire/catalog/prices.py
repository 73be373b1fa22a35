"""The wire types of prices (contract, "Unit price" and "Products"), and how they become core prices and back."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from nicobar.core.catalog.product import (
    OneTimePrice,
    Price,
    RecurringPrice,
    UsagePrice,
    discount_percent,
)
from nicobar.wire.codes import CurrencyCode, TimeInterval
from nicobar.wire.common import Amount, BasisPoints, ObjectId, PositiveInt32, RequestBody, ResponseBody, to_builtins
from nicobar.wire.patterns import DECIMAL, UNIT_PRICE

WholePercent = Annotated[int, Meta(ge=0, le=100, description="Whole percent")]
UnitPrice = Annotated[str, Meta(pattern=UNIT_PRICE, description="Minor units, as text")]
DecimalText = Annotated[str, Meta(pattern=DECIMAL, description="A number, as text")]


class PriceRequest(RequestBody, frozen=True, kw_only=True):
    """What the three kinds of price share. Null equals "not sent"."""

    currency: CurrencyCode
    discount: WholePercent | None = None
    """Deprecated; ignored when `discount_bps` is there."""
    discount_bps: BasisPoints | None = None
    purchasing_power_parity: bool | None = None
    tax_inclusive: bool | None = None


class OneTimePriceRequest(PriceRequest, frozen=True, kw_only=True, tag_field="type", tag="one_time_price"):
    """A price that is paid once; with `pay_what_you_want`, `price` is the minimum."""

    price: Amount
    pay_what_you_want: bool | None = None
    suggested_price: Amount | None = None


class PeriodicPriceRequest(PriceRequest, frozen=True, kw_only=True):
    """What the two kinds of subscription price share."""

    payment_frequency_count: PositiveInt32
    payment_frequency_interval: TimeInterval
    subscription_period_count: PositiveInt32
    subscription_period_interval: TimeInterval


class RecurringPriceRequest(PeriodicPriceRequest, frozen=True, kw_only=True, tag_field="type", tag="recurring_price"):
    """A price that is paid again every period."""

    price: Amount
    trial_amount: Amount | None = None
    trial_apply_discounts: bool | None = None
    trial_payment_method_optional: bool | None = None
    trial_period_days: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    zero_amount_payment_method_optional: bool | None = None


class MeterRequest(RequestBody, frozen=True, kw_only=True):
    """A meter of a usage-based price. Its name, description and unit are the server's to say, so none is read."""

    meter_id: ObjectId
    credit_entitlement_id: ObjectId | None = None
    free_threshold: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    meter_units_per_credit: DecimalText | None = None
    price_per_unit: UnitPrice | None = None


class UsagePriceRequest(PeriodicPriceRequest, frozen=True, kw_only=True, tag_field="type", tag="usage_based_price"):
    """A fixed fee every period and a price by measured use."""

    fixed_price: Amount
    meters: Annotated[list[MeterRequest], Meta(max_length=50)] | None = None


AnyPriceRequest = OneTimePriceRequest | RecurringPriceRequest | UsagePriceRequest


class PriceRead(ResponseBody, frozen=True, kw_only=True):
    """What the three kinds of price share."""

    currency: str
    discount: int
    """Deprecated whole percent of `discount_bps`, rounded half-up."""
    discount_bps: int
    purchasing_power_parity: bool
    tax_inclusive: bool | None
    """Null when the merchant never said; the price is exclusive then."""


class OneTimePriceRead(PriceRead, frozen=True, kw_only=True, tag_field="type", tag="one_time_price"):
    """A price that is paid once."""

    price: int
    pay_what_you_want: bool
    suggested_price: int | None


class PeriodicPriceRead(PriceRead, frozen=True, kw_only=True):
    """What the two kinds of subscription price share."""

    payment_frequency_count: int
    payment_frequency_interval: str
    subscription_period_count: int
    subscription_period_interval: str


class RecurringPriceRead(PeriodicPriceRead, frozen=True, kw_only=True, tag_field="type", tag="recurring_price"):
    """A price that is paid again every period."""

    price: int
    trial_amount: int | None
    trial_apply_discounts: bool
    trial_payment_method_optional: bool
    trial_period_days: int
    zero_amount_payment_method_optional: bool


class MeterRead(ResponseBody, frozen=True, kw_only=True):
    """A meter of a usage-based price. This server has no meters, so their texts are unknown."""

    meter_id: str
    credit_entitlement_id: str | None = None
    description: str | None = None
    free_threshold: int | None = None
    measurement_unit: str | None = None
    meter_units_per_credit: str | None = None
    name: str | None = None
    price_per_unit: str | None = None


class UsagePriceRead(PeriodicPriceRead, frozen=True, kw_only=True, tag_field="type", tag="usage_based_price"):
    """A fixed fee every period and a price by measured use."""

    fixed_price: int
    meters: list[MeterRead] | None


AnyPriceRead = OneTimePriceRead | RecurringPriceRead | UsagePriceRead


def read_price(request: AnyPriceRequest) -> Price:
    """Return the price that a request describes; `core.catalog.product.check_price` judges its fields together."""
    match request:
        case OneTimePriceRequest():
            return OneTimePrice(
                currency=request.currency,
                price=request.price,
                discount_bps=_discount_bps(request),
                pay_what_you_want=bool(request.pay_what_you_want),
                suggested_price=request.suggested_price,
                purchasing_power_parity=bool(request.purchasing_power_parity),
                tax_inclusive=request.tax_inclusive,
            )
        case RecurringPriceRequest():
            return RecurringPrice(
                price=request.price,
                trial_amount=request.trial_amount,
                trial_apply_discounts=bool(request.trial_apply_discounts),
                trial_payment_method_optional=bool(request.trial_payment_method_optional),
                trial_period_days=request.trial_period_days or 0,
                zero_amount_payment_method_optional=bool(request.zero_amount_payment_method_optional),
                **_periodic(request),
            )
        case UsagePriceRequest():
            return UsagePrice(
                fixed_price=request.fixed_price,
                meters=None if request.meters is None else [to_builtins(meter) for meter in request.meters],
                **_periodic(request),
            )


def _discount_bps(request: PriceRequest) -> int:
    return request.discount_bps if request.discount_bps is not None else (request.discount or 0) * 100


def _periodic(request: PeriodicPriceRequest) -> dict[str, Any]:
    return {
        "currency": request.currency,
        "payment_frequency_count": request.payment_frequency_count,
        "payment_frequency_interval": request.payment_frequency_interval,
        "subscription_period_count": request.subscription_period_count,
        "subscription_period_interval": request.subscription_period_interval,
        "discount_bps": _discount_bps(request),
        "purchasing_power_parity": bool(request.purchasing_power_parity),
        "tax_inclusive": request.tax_inclusive,
    }


def render_price(price: Price) -> AnyPriceRead:
    """Render a price with both forms of its discount."""
    fields = msgspec.structs.asdict(price) | {"discount": discount_percent(price.discount_bps)}
    match price:
        case OneTimePrice():
            return OneTimePriceRead(**fields)
        case RecurringPrice():
            return RecurringPriceRead(**fields)
        case UsagePrice():
            meters = None if price.meters is None else [MeterRead(**meter) for meter in price.meters]
            return UsagePriceRead(**(fields | {"meters": meters}))
