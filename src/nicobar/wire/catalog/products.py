"""The wire types of products (contract, "Products"), and how a product is read and rendered.

This server has no meters, entitlements and licence keys. Products may name them all the same: what a
merchant sends is stored and returned, so that a catalogue survives the move to this server and back.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from nicobar.core.catalog.product import NewProduct, Product, ProductChange, charged_amount
from nicobar.wire.catalog.prices import (
    AnyPriceRead,
    AnyPriceRequest,
    DecimalText,
    WholePercent,
    read_price,
    render_price,
)
from nicobar.wire.codes import CurrencyCode, PricingModeName, TaxCategory, TimeInterval
from nicobar.wire.common import (
    INT32_MAX,
    Metadata,
    ObjectId,
    PageQuery,
    PositiveInt32,
    RequestBody,
    ResponseBody,
    Text1000,
    Url,
    to_builtins,
)

ProductName = Annotated[str, Meta(min_length=1, max_length=100)]
LongText = Annotated[str, Meta(max_length=2500)]
Count = Annotated[int, Meta(ge=0, le=INT32_MAX)]
OverageBehavior = Literal["forgive_at_reset", "invoice_at_billing", "carry_deficit", "carry_deficit_auto_repay"]
ProrationBehavior = Literal["prorate", "no_prorate"]


class EntitlementLink(RequestBody, frozen=True, kw_only=True):
    """An entitlement that a product grants."""

    entitlement_id: ObjectId


class CreditEntitlementLink(RequestBody, frozen=True, kw_only=True):
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


class DeliveryRequest(RequestBody, frozen=True, kw_only=True):
    """How a digital product is delivered. No file can be uploaded to this server, so `files` must be empty."""

    external_url: Url | None = None
    files: Annotated[list[ObjectId], Meta(max_length=50)] | None = None
    instructions: LongText | None = None


class LicenseKeyDuration(RequestBody, frozen=True, kw_only=True):
    """How long a licence key is valid."""

    count: PositiveInt32
    interval: TimeInterval


AddonIds = Annotated[list[ObjectId], Meta(max_length=10)]
EntitlementLinks = Annotated[list[EntitlementLink], Meta(max_length=50)]
CreditEntitlementLinks = Annotated[list[CreditEntitlementLink], Meta(max_length=5)]


class ProductExtras(RequestBody, frozen=True, kw_only=True):
    """The fields that decide nothing here, as the column `extras` keeps them: absent where nothing was given."""

    addons: AddonIds | None = None
    entitlements: EntitlementLinks = msgspec.field(default_factory=list)
    credit_entitlements: CreditEntitlementLinks = msgspec.field(default_factory=list)
    digital_product_delivery: DeliveryRequest | None = None
    license_key_enabled: bool = False
    license_key_activation_message: LongText | None = None
    license_key_activations_limit: Count | None = None
    license_key_duration: LicenseKeyDuration | None = None


class ProductCreate(RequestBody, frozen=True, kw_only=True):
    """The body of POST /products. Null equals "not sent" everywhere."""

    name: ProductName
    price: AnyPriceRequest
    tax_category: TaxCategory
    description: Text1000 | None = None
    brand_id: ObjectId | None = None
    metadata: Metadata | None = None
    pricing_mode: PricingModeName | None = None
    addons: AddonIds | None = None
    entitlements: EntitlementLinks | None = None
    credit_entitlements: CreditEntitlementLinks | None = None
    digital_product_delivery: DeliveryRequest | None = None
    license_key_enabled: bool | None = None
    license_key_activation_message: LongText | None = None
    license_key_activations_limit: Count | None = None
    license_key_duration: LicenseKeyDuration | None = None


class ProductUpdate(RequestBody, frozen=True, kw_only=True):
    """The body of PATCH /products/{id}: what is left out stays; a given `price` or `metadata` is replaced as a whole.

    Null clears `description`, `image_id`, `pricing_mode`, `addons`, `digital_product_delivery` and `license_key_*`.
    The other fields cannot be empty, so null keeps them.
    """

    name: ProductName | None = None
    price: AnyPriceRequest | None = None
    tax_category: TaxCategory | None = None
    brand_id: ObjectId | None = None
    metadata: Metadata | None = None
    image_id: ObjectId | UnsetType | None = UNSET
    """The id of an uploaded picture; null takes the picture away."""
    description: Text1000 | UnsetType | None = UNSET
    pricing_mode: PricingModeName | UnsetType | None = UNSET
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


class ProductListQuery(PageQuery, frozen=True, kw_only=True):
    """The filters of GET /products."""

    archived: bool | None = None
    """True lists only archived products, otherwise only the others."""
    brand_id: str | None = None
    recurring: bool | None = None
    """True for subscription prices, false for one-time prices."""
    locale: str | None = None


class EntitlementRead(ResponseBody, frozen=True, kw_only=True):
    """An entitlement of a product. This server knows its id only, and shows it as a flag that delivers nothing."""

    id: str
    name: str
    description: str | None
    integration_type: Literal["feature_flag"]
    integration_config: dict[str, str]


class CreditEntitlementRead(CreditEntitlementLink, frozen=True, kw_only=True):
    """Credits of a product, with the settings that were left out at their most cautious value."""

    id: str
    credit_entitlement_name: str
    credit_entitlement_unit: str


class DeliveryRead(ResponseBody, frozen=True, kw_only=True):
    """How a digital product is delivered."""

    files: list[dict[str, Any]]
    external_url: str | None
    instructions: str | None


class ProductRead(ResponseBody, frozen=True, kw_only=True):
    """The whole product. `product_collection_id` is always null: this server has no collections."""

    brand_id: str
    business_id: str
    created_at: datetime
    credit_entitlements: list[CreditEntitlementRead]
    entitlements: list[EntitlementRead]
    is_recurring: bool
    license_key_enabled: bool
    metadata: dict[str, Any]
    price: AnyPriceRead
    product_id: str
    tax_category: str
    updated_at: datetime
    addons: list[str] | None
    description: str | None
    digital_product_delivery: DeliveryRead | None
    image: str | None
    license_key_activation_message: str | None
    license_key_activations_limit: int | None
    license_key_duration: LicenseKeyDuration | None
    name: str | None
    pricing_mode: str | None
    product_collection_id: str | None


class ProductListItem(ResponseBody, frozen=True, kw_only=True):
    """A product in the list."""

    business_id: str
    created_at: datetime
    entitlements: list[EntitlementRead]
    is_recurring: bool
    metadata: dict[str, Any]
    product_id: str
    tax_category: str
    updated_at: datetime
    currency: str | None
    description: str | None
    image: str | None
    name: str | None
    price: int | None
    """Minor units: the list price, of a usage-based product its fixed fee."""
    price_detail: AnyPriceRead | None
    pricing_mode: str | None
    tax_inclusive: bool | None


_EXTRAS: Final = (
    "addons",
    "digital_product_delivery",
    "license_key_activation_message",
    "license_key_activations_limit",
    "license_key_duration",
    "entitlements",
    "credit_entitlements",
    "license_key_enabled",
)
"""The fields of `ProductExtras`, in the order in which they are checked."""


def read_product(body: ProductCreate) -> NewProduct:
    """Return the product that a request describes."""
    return NewProduct(
        name=body.name,
        price=read_price(body.price),
        tax_category=body.tax_category,
        description=body.description,
        brand_id=body.brand_id,
        metadata=body.metadata or {},
        pricing_mode=body.pricing_mode,
        extras=_extras(body),
    )


def read_product_change(body: ProductUpdate) -> ProductChange:
    """Return the change that a request asks for."""
    return ProductChange(
        name=UNSET if body.name is None else body.name,
        price=UNSET if body.price is None else read_price(body.price),
        tax_category=UNSET if body.tax_category is None else body.tax_category,
        brand_id=UNSET if body.brand_id is None else body.brand_id,
        metadata=UNSET if body.metadata is None else body.metadata,
        image_id=body.image_id,
        description=body.description,
        pricing_mode=body.pricing_mode,
        extras=_extras(body),
    )


def _extras(body: ProductCreate | ProductUpdate) -> dict[str, Any]:
    """Return the extras that a request gives, null included, in plain dicts and lists."""
    fields = {name: getattr(body, name) for name in _EXTRAS}
    return {name: to_builtins(value) for name, value in fields.items() if value is not UNSET}


def render_product(product: Product, image: str | None) -> ProductRead:
    """Render the whole product; `image` is the address of its picture."""
    extras = msgspec.convert(product.extras, ProductExtras)
    delivery = extras.digital_product_delivery
    return ProductRead(
        brand_id=product.brand_id,
        business_id=product.business_id,
        created_at=product.created_at,
        credit_entitlements=[_render_credits(product, link) for link in extras.credit_entitlements],
        entitlements=[_render_entitlement(link) for link in extras.entitlements],
        is_recurring=product.is_recurring,
        license_key_enabled=extras.license_key_enabled,
        metadata=product.metadata,
        price=render_price(product.price),
        product_id=product.product_id,
        tax_category=product.tax_category,
        updated_at=product.updated_at,
        addons=extras.addons,
        description=product.description,
        digital_product_delivery=None if delivery is None else _render_delivery(delivery),
        image=image,
        license_key_activation_message=extras.license_key_activation_message,
        license_key_activations_limit=extras.license_key_activations_limit,
        license_key_duration=extras.license_key_duration,
        name=product.name,
        pricing_mode=product.pricing_mode,
        product_collection_id=None,
    )


def render_list_item(product: Product, image: str | None) -> ProductListItem:
    """Render one row of the list; `image` is the address of its picture."""
    extras = msgspec.convert(product.extras, ProductExtras)
    return ProductListItem(
        business_id=product.business_id,
        created_at=product.created_at,
        entitlements=[_render_entitlement(link) for link in extras.entitlements],
        is_recurring=product.is_recurring,
        metadata=product.metadata,
        product_id=product.product_id,
        tax_category=product.tax_category,
        updated_at=product.updated_at,
        currency=product.price.currency,
        description=product.description,
        image=image,
        name=product.name,
        price=charged_amount(product.price),
        price_detail=render_price(product.price),
        pricing_mode=product.pricing_mode,
        tax_inclusive=product.price.tax_inclusive,
    )


def _render_delivery(delivery: DeliveryRequest) -> DeliveryRead:
    return DeliveryRead(files=[], external_url=delivery.external_url, instructions=delivery.instructions)


def _render_entitlement(link: EntitlementLink) -> EntitlementRead:
    return EntitlementRead(
        id=link.entitlement_id,
        name=link.entitlement_id,
        description=None,
        integration_type="feature_flag",
        integration_config={"feature_id": link.entitlement_id, "feature_type": "boolean"},
    )


def _render_credits(product: Product, link: CreditEntitlementLink) -> CreditEntitlementRead:
    settings = msgspec.structs.asdict(link) | {
        "overage_behavior": link.overage_behavior or "forgive_at_reset",
        "overage_enabled": bool(link.overage_enabled),
        "proration_behavior": link.proration_behavior or "no_prorate",
        "rollover_enabled": bool(link.rollover_enabled),
        "trial_credits_expire_after_trial": bool(link.trial_credits_expire_after_trial),
    }
    return CreditEntitlementRead(
        id=f"{product.product_id}:{link.credit_entitlement_id}",
        credit_entitlement_name=link.credit_entitlement_id,
        credit_entitlement_unit="credits",
        **settings,
    )
