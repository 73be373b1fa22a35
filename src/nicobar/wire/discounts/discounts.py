"""The wire types of discounts (contract, "Discounts"), and how a discount is read and rendered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from nicobar.core.discounts.discount_record import (
    AppliedDiscount,
    DiscountChange,
    DiscountRecord,
    DiscountType,
    NewDiscount,
    RequestedType,
)
from nicobar.core.discounts.discounts import CurrencyOption, Eligibility
from nicobar.wire.codes import CurrencyCode
from nicobar.wire.common import (
    Amount,
    Metadata,
    ObjectId,
    PageQuery,
    PositiveInt32,
    RequestBody,
    ResponseBody,
    Text250,
)

CodeText = Annotated[str, Meta(max_length=64)]
ProductIds = Annotated[list[ObjectId], Meta(max_length=1000)]


class CurrencyOptionRequest(RequestBody, frozen=True, kw_only=True):
    """What a discount is worth in one currency, in minor units of that currency."""

    currency: CurrencyCode
    """The row applies when the buyer pays in this currency."""
    is_default: bool | None = None
    """Whether the row is converted for buyers whose currency has none. A single row is the default anyway."""
    max_amount_possible: PositiveInt32 | None = None
    """Flat: the deduction, required. Percentage: the most that the code takes off."""
    minimum_subtotal: Amount | None = None
    """The smallest cart, at list prices, for which the code works; null and 0 mean none."""


CurrencyOptions = Annotated[list[CurrencyOptionRequest], Meta(max_length=145)]


class DiscountCreate(RequestBody, frozen=True, kw_only=True):
    """The body of POST /discounts."""

    type: RequestedType
    amount: PositiveInt32
    """Percentage: basis points, at most 10000. Flat: stored as sent; `currency_options` hold the deduction."""
    code: CodeText | None = None
    """3 to 64 characters: letters, digits and `! $ % & * + . @ _ -`; stored in upper case. A random one if blank."""
    currency_options: CurrencyOptions | None = None
    customer_eligibility: Eligibility | None = None
    expires_at: datetime | None = None
    """First moment at which the code no longer works."""
    metadata: Metadata | None = None
    name: Text250 | None = None
    per_customer_usage_limit: PositiveInt32 | None = None
    preserve_on_plan_change: bool | None = None
    restricted_to: ProductIds | None = None
    """Ids of products that exist; null and an empty list mean every product."""
    starts_at: datetime | None = None
    subscription_cycles: PositiveInt32 | None = None
    usage_limit: PositiveInt32 | None = None


class DiscountUpdate(RequestBody, frozen=True, kw_only=True):
    """The body of PATCH /discounts/{discount_id}: what is left out stays.

    Null clears `name`, `starts_at`, `expires_at`, the two limits and `subscription_cycles`. The other fields cannot be
    null, so null keeps them; an empty list clears `restricted_to` and `currency_options`, and every list and
    `metadata` is replaced as a whole.
    """

    type: RequestedType | None = None
    amount: PositiveInt32 | None = None
    code: CodeText | None = None
    currency_options: CurrencyOptions | None = None
    customer_eligibility: Eligibility | None = None
    expires_at: datetime | UnsetType | None = UNSET
    metadata: Metadata | None = None
    name: Text250 | UnsetType | None = UNSET
    per_customer_usage_limit: PositiveInt32 | UnsetType | None = UNSET
    preserve_on_plan_change: bool | None = None
    restricted_to: ProductIds | None = None
    starts_at: datetime | UnsetType | None = UNSET
    subscription_cycles: PositiveInt32 | UnsetType | None = UNSET
    usage_limit: PositiveInt32 | UnsetType | None = UNSET


class DiscountListQuery(PageQuery, frozen=True, kw_only=True):
    """The filters of GET /discounts."""

    active: bool | None = None
    """Whether the code can be redeemed now: it has started, has not expired and has uses left."""
    code: CodeText | None = None
    """A part of the code, in any case."""
    discount_type: DiscountType | None = None
    product_id: ObjectId | None = None
    """Only what applies to this product: discounts restricted to it, and those without a restriction."""


class CustomersAllow(RequestBody, frozen=True, kw_only=True):
    """The body of POST /discounts/{discount_id}/customers."""

    customer_ids: Annotated[list[ObjectId], Meta(min_length=1, max_length=1000)]


class AllowedCustomer(ResponseBody, frozen=True, kw_only=True):
    """A customer on the list of a discount whose `customer_eligibility` is `specific`."""

    customer_id: str


class CurrencyOptionRead(ResponseBody, frozen=True, kw_only=True):
    """What a discount is worth in one currency, in minor units of that currency."""

    currency: str
    is_default: bool
    minimum_subtotal: int
    max_amount_possible: int | None


class DiscountRead(ResponseBody, frozen=True, kw_only=True):
    """A discount."""

    discount_id: str
    business_id: str
    code: str
    type: DiscountType
    amount: int
    customer_eligibility: Eligibility
    created_at: datetime
    times_used: int
    """Payments that succeeded with the code."""
    restricted_to: list[str]
    preserve_on_plan_change: bool
    metadata: dict[str, Any]
    name: str | None
    expires_at: datetime | None
    starts_at: datetime | None
    usage_limit: int | None
    per_customer_usage_limit: int | None
    subscription_cycles: int | None
    currency_options: list[CurrencyOptionRead]


class DiscountDetail(ResponseBody, frozen=True, kw_only=True):
    """A discount on a payment; code, type and amount are those of the moment when the payment was created."""

    discount_id: str
    business_id: str
    code: str
    type: DiscountType
    amount: int
    position: int
    """From 0, in the order in which the codes were applied."""
    times_used: int
    restricted_to: list[str]
    preserve_on_plan_change: bool
    created_at: datetime
    metadata: dict[str, Any]
    name: str | None
    expires_at: datetime | None
    usage_limit: int | None
    subscription_cycles: int | None
    cycles_remaining: int | None
    """Charged cycles for which it still works on the subscription; null for all, and for a one-time payment."""


def read_discount(body: DiscountCreate) -> NewDiscount:
    """Return the discount that a request describes."""
    return NewDiscount(
        type=body.type,
        amount=body.amount,
        code=body.code,
        currency_options=_options(body.currency_options or ()),
        customer_eligibility=body.customer_eligibility or "any",
        expires_at=body.expires_at,
        metadata=body.metadata or {},
        name=body.name,
        per_customer_usage_limit=body.per_customer_usage_limit,
        preserve_on_plan_change=bool(body.preserve_on_plan_change),
        restricted_to=body.restricted_to or (),
        starts_at=body.starts_at,
        subscription_cycles=body.subscription_cycles,
        usage_limit=body.usage_limit,
    )


def read_discount_change(body: DiscountUpdate) -> DiscountChange:
    """Return the change that a request asks for."""
    return DiscountChange(
        type=UNSET if body.type is None else body.type,
        amount=UNSET if body.amount is None else body.amount,
        code=UNSET if body.code is None else body.code,
        currency_options=UNSET if body.currency_options is None else _options(body.currency_options),
        customer_eligibility=UNSET if body.customer_eligibility is None else body.customer_eligibility,
        expires_at=body.expires_at,
        metadata=UNSET if body.metadata is None else body.metadata,
        name=body.name,
        per_customer_usage_limit=body.per_customer_usage_limit,
        preserve_on_plan_change=UNSET if body.preserve_on_plan_change is None else body.preserve_on_plan_change,
        restricted_to=UNSET if body.restricted_to is None else body.restricted_to,
        starts_at=body.starts_at,
        subscription_cycles=body.subscription_cycles,
        usage_limit=body.usage_limit,
    )


def _options(options: Sequence[CurrencyOptionRequest]) -> tuple[CurrencyOption, ...]:
    """Return the currency options as they are stored; `core.discounts.discount_record.check_record` judges them
    together."""
    return tuple(
        CurrencyOption(
            option.currency, option.max_amount_possible, option.minimum_subtotal or 0, bool(option.is_default)
        )
        for option in options
    )


def render_discount(discount: DiscountRecord) -> DiscountRead:
    """Render one discount."""
    return DiscountRead(
        discount_id=discount.discount_id,
        business_id=discount.business_id,
        code=discount.code,
        type=discount.type,
        amount=discount.amount,
        customer_eligibility=discount.customer_eligibility,
        created_at=discount.created_at,
        times_used=discount.times_used,
        restricted_to=list(discount.restricted_to),
        preserve_on_plan_change=discount.preserve_on_plan_change,
        metadata=discount.metadata,
        name=discount.name,
        expires_at=discount.expires_at,
        starts_at=discount.starts_at,
        usage_limit=discount.usage_limit,
        per_customer_usage_limit=discount.per_customer_usage_limit,
        subscription_cycles=discount.subscription_cycles,
        currency_options=[
            CurrencyOptionRead(
                currency=option.currency,
                is_default=option.is_default,
                minimum_subtotal=option.minimum_subtotal,
                max_amount_possible=option.max_amount_possible,
            )
            for option in discount.currency_options
        ],
    )


def render_discount_detail(applied: AppliedDiscount) -> DiscountDetail:
    """Render one discount of a payment (contract, "DiscountDetail")."""
    return DiscountDetail(
        discount_id=applied.discount_id,
        business_id=applied.business_id,
        code=applied.code,
        type=applied.type,
        amount=applied.amount,
        position=applied.position,
        times_used=applied.times_used,
        restricted_to=list(applied.restricted_to),
        preserve_on_plan_change=applied.preserve_on_plan_change,
        created_at=applied.created_at,
        metadata=applied.metadata,
        name=applied.name,
        expires_at=applied.expires_at,
        usage_limit=applied.usage_limit,
        subscription_cycles=applied.subscription_cycles,
        cycles_remaining=applied.cycles_remaining,
    )
