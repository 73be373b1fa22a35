"""The wire types of products (contract, "Products"), how prices become core prices, how a product is rendered.

This server has no add-ons, meters, entitlements and licence keys. Products may name them all the same: what a
merchant sends is stored and returned, so that a catalogue survives the move to this server and back.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from nicobar.core.problems import Problem
from nicobar.core.product import (
    OneTimePrice,
    Price,
    Product,
    RecurringPrice,
    UsagePrice,
    charged_amount,
    check_price,
    discount_percent,
)
from nicobar.wire.brands import checked_web_address
from nicobar.wire.codes import CurrencyCode, PricingMode, TaxCategory, TimeInterval
from nicobar.wire.common import (
    INT32_MAX,
    Amount,
    Answer,
    BasisPoints,
    Metadata,
    ObjectId,
    PageQuery,
    PositiveInt32,
    RequestBody,
    Text1000,
    Url,
    blank_to_none,
    to_builtins,
)

ProductName = Annotated[str, Meta(min_length=1, max_length=100)]
LongText = Annotated[str, Meta(max_length=2500)]
Count = Annotated[int, Meta(ge=0, le=INT32_MAX)]
WholePercent = Annotated[int, Meta(ge=0, le=100, description="Whole percent")]
UnitPrice = Annotated[str, Meta(pattern=r"^[0-9]{1,5}([.][0-9]{1,12})?$(?!\n)", description="Minor units, as text")]
DecimalText = Annotated[str, Meta(pattern=r"^[0-9]{1,18}([.][0-9]{1,12})?$(?!\n)", description="A number as text")]
OverageBehavior = Literal["forgive_at_reset", "invoice_at_billing", "carry_deficit", "carry_deficit_auto_repay"]
ProrationBehavior = Literal["prorate", "no_prorate"]


class PriceRequest(RequestBody):
    """What the three kinds of price share. Null equals "not sent"."""

    currency: CurrencyCode
    discount: WholePercent | None = None
    """Deprecated; ignored when `discount_bps` is there."""
    discount_bps: BasisPoints | None = None
    purchasing_power_parity: bool | None = None
    tax_inclusive: bool | None = None


class OneTimePriceRequest(PriceRequest, tag_field="type", tag="one_time_price"):
    """A price that is paid once; with `pay_what_you_want`, `price` is the minimum."""

    price: Amount
    pay_what_you_want: bool | None = None
    suggested_price: Amount | None = None


class PeriodicPriceRequest(PriceRequest):
    """What the two kinds of subscription price share."""

    payment_frequency_count: PositiveInt32
    payment_frequency_interval: TimeInterval
    subscription_period_count: PositiveInt32
    subscription_period_interval: TimeInterval


class RecurringPriceRequest(PeriodicPriceRequest, tag_field="type", tag="recurring_price"):
    """A price that is paid again every period."""

    price: Amount
    trial_amount: Amount | None = None
    trial_apply_discounts: bool | None = None
    trial_payment_method_optional: bool | None = None
    trial_period_days: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    zero_amount_payment_method_optional: bool | None = None


class MeterRequest(RequestBody):
    """A meter of a usage-based price. Its name, description and unit are the server's to say, so none is read."""

    meter_id: ObjectId
    credit_entitlement_id: ObjectId | None = None
    free_threshold: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    meter_units_per_credit: DecimalText | None = None
    price_per_unit: UnitPrice | None = None


class UsagePriceRequest(PeriodicPriceRequest, tag_field="type", tag="usage_based_price"):
    """A fixed fee every period and a price by measured use."""

    fixed_price: Amount
    meters: Annotated[list[MeterRequest], Meta(max_length=50)] | None = None


AnyPriceRequest = OneTimePriceRequest | RecurringPriceRequest | UsagePriceRequest


class EntitlementLink(RequestBody):
    """An entitlement that a product grants."""

    entitlement_id: ObjectId


class CreditEntitlementLink(RequestBody):
    """Credits that a product grants."""

    credit_entitlement_id: ObjectId
    credits_amount: DecimalText
    currency: CurrencyCode | None = None
    expires_after_days: Count | None = None
    low_balance_threshold_percent: WholePercent | None = None
    max_rollover_count: Count | None = None
    overage_behavior: OverageBehavior | None = None
    overage_enabled: bool | None = None
    overage_limit: DecimalText | None = None
    price_per_unit: DecimalText | None = None
    proration_behavior: ProrationBehavior | None = None
    rollover_enabled: bool | None = None
    rollover_percentage: WholePercent | None = None
    rollover_timeframe_count: Count | None = None
    rollover_timeframe_interval: TimeInterval | None = None
    trial_credits: DecimalText | None = None
    trial_credits_expire_after_trial: bool | None = None


class DeliveryRequest(RequestBody):
    """How a digital product is delivered. No file can be uploaded to this server, so `files` must be empty."""

    external_url: Url | None = None
    files: Annotated[list[ObjectId], Meta(max_length=50)] | None = None
    instructions: LongText | None = None


class LicenseKeyDuration(RequestBody):
    """How long a licence key is valid."""

    count: PositiveInt32
    interval: TimeInterval


AddonIds = Annotated[list[ObjectId], Meta(max_length=50)]
EntitlementLinks = Annotated[list[EntitlementLink], Meta(max_length=50)]
CreditEntitlementLinks = Annotated[list[CreditEntitlementLink], Meta(max_length=5)]


class ProductExtras(RequestBody):
    """The fields that decide nothing here, as the column `extras` keeps them: absent where nothing was given."""

    addons: AddonIds | None = None
    entitlements: EntitlementLinks = []
    credit_entitlements: CreditEntitlementLinks = []
    digital_product_delivery: DeliveryRequest | None = None
    license_key_enabled: bool = False
    license_key_activation_message: LongText | None = None
    license_key_activations_limit: Count | None = None
    license_key_duration: LicenseKeyDuration | None = None


class ProductCreate(RequestBody):
    """The body of POST /products. Null equals "not sent" everywhere."""

    name: ProductName
    price: AnyPriceRequest
    tax_category: TaxCategory
    description: Text1000 | None = None
    brand_id: ObjectId | None = None
    metadata: Metadata | None = None
    pricing_mode: PricingMode | None = None
    addons: AddonIds | None = None
    entitlements: EntitlementLinks | None = None
    credit_entitlements: CreditEntitlementLinks | None = None
    digital_product_delivery: DeliveryRequest | None = None
    license_key_enabled: bool | None = None
    license_key_activation_message: LongText | None = None
    license_key_activations_limit: Count | None = None
    license_key_duration: LicenseKeyDuration | None = None


class ProductUpdate(RequestBody):
    """The body of PATCH /products/{id}: what is left out stays; a given `price` or `metadata` is replaced as a whole.

    Null clears `description`, `pricing_mode`, `addons`, `digital_product_delivery` and `license_key_*`. The other
    fields cannot be empty, so null keeps them.
    """

    name: ProductName | None = None
    price: AnyPriceRequest | None = None
    tax_category: TaxCategory | None = None
    brand_id: ObjectId | None = None
    metadata: Metadata | None = None
    image_id: ObjectId | None = None
    """The id of an uploaded image. This server takes no uploads, so no id is known; null is accepted."""
    description: Text1000 | UnsetType | None = UNSET
    pricing_mode: PricingMode | UnsetType | None = UNSET
    addons: AddonIds | UnsetType | None = UNSET
    entitlements: EntitlementLinks | UnsetType | None = UNSET
    credit_entitlements: CreditEntitlementLinks | UnsetType | None = UNSET
    digital_product_delivery: DeliveryRequest | UnsetType | None = UNSET
    license_key_enabled: bool | UnsetType | None = UNSET
    license_key_activation_message: LongText | UnsetType | None = UNSET
    license_key_activations_limit: Count | UnsetType | None = UNSET
    license_key_duration: LicenseKeyDuration | UnsetType | None = UNSET


class ProductQuery(Struct, frozen=True, kw_only=True):
    """The query of GET /products/{id}."""

    locale: str | None = None
    """A language to translate texts into. Nothing is translated here, so every language gets the base text."""


class ProductListQuery(PageQuery, frozen=True, kw_only=True):
    """The filters of GET /products."""

    archived: bool | None = None
    """True lists only archived products, otherwise only the others."""
    brand_id: str | None = None
    recurring: bool | None = None
    """True for subscription prices, false for one-time prices."""
    locale: str | None = None


class PriceRead(Answer):
    """What the three kinds of price share."""

    currency: str
    discount: int
    """Deprecated whole percent of `discount_bps`, rounded half-up."""
    discount_bps: int
    purchasing_power_parity: bool
    tax_inclusive: bool | None
    """Null when the merchant never said; the price is exclusive then."""


class OneTimePriceRead(PriceRead, tag_field="type", tag="one_time_price"):
    """A price that is paid once."""

    price: int
    pay_what_you_want: bool
    suggested_price: int | None


class PeriodicPriceRead(PriceRead):
    """What the two kinds of subscription price share."""

    payment_frequency_count: int
    payment_frequency_interval: str
    subscription_period_count: int
    subscription_period_interval: str


class RecurringPriceRead(PeriodicPriceRead, tag_field="type", tag="recurring_price"):
    """A price that is paid again every period."""

    price: int
    trial_amount: int | None
    trial_apply_discounts: bool
    trial_payment_method_optional: bool
    trial_period_days: int
    zero_amount_payment_method_optional: bool


class UsagePriceRead(PeriodicPriceRead, tag_field="type", tag="usage_based_price"):
    """A fixed fee every period and a price by measured use."""

    fixed_price: int
    meters: list[dict[str, Any]] | None


AnyPriceRead = OneTimePriceRead | RecurringPriceRead | UsagePriceRead
