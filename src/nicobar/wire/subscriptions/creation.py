"""The wire types of POST /subscriptions (contract, "Creation")."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from nicobar.core.catalog.addon import RequestedAddon
from nicobar.core.payments.payment_request import PaymentRequest
from nicobar.core.pricing.cart import MAXIMUM_QUANTITY, RequestedItem
from nicobar.core.subscriptions.subscription_request import (
    CreatedSubscription,
    OnDemand,
    RequestedPlan,
    SubscriptionRequest,
)
from nicobar.wire.codes import CurrencyCode
from nicobar.wire.common import (
    INT32_MAX,
    Amount,
    BillingAddress,
    DiscountCodes,
    DiscountCodeText,
    Metadata,
    MethodTypes,
    ObjectId,
    PositiveInt32,
    RequestBody,
    ResponseBody,
    TaxIdText,
    Text250,
    Text1000,
    Url,
    known_types,
    read_address,
)
from nicobar.wire.customers.buyers import CustomerLimitedDetails, render_buyer
from nicobar.wire.payments.payments import (
    CartItem,
    CustomerRequest,
    read_requested_customer,
)
from nicobar.wire.subscriptions.subscriptions import AddonOfPlan, render_addons

SubscriptionQuantity = Annotated[int, Meta(ge=1, le=MAXIMUM_QUANTITY)]
TrialDays = Annotated[int, Meta(ge=0, le=10_000)]


class AttachedAddon(RequestBody, frozen=True, kw_only=True):
    """An add-on to buy with the product, and how many of it; none leaves it out."""

    addon_id: ObjectId
    quantity: Annotated[int, Meta(ge=0, le=MAXIMUM_QUANTITY)]


AttachedAddons = Annotated[list[AttachedAddon], Meta(max_length=100)]


class OnDemandRequest(RequestBody, frozen=True, kw_only=True):
    """A subscription that is charged when its merchant asks for it."""

    mandate_only: bool
    """True takes no money at the start."""
    product_price: Amount | None = None
    product_currency: CurrencyCode | None = None
    product_description: Text1000 | None = None
    adaptive_currency_fees_inclusive: bool | None = None


class SubscriptionCreate(RequestBody, frozen=True, kw_only=True):
    """The body of POST /subscriptions. Null equals "not sent" everywhere."""

    billing: BillingAddress
    customer: CustomerRequest
    product_id: ObjectId
    quantity: SubscriptionQuantity
    addons: AttachedAddons | None = None
    allowed_payment_method_types: MethodTypes | None = None
    billing_currency: CurrencyCode | None = None
    customer_business_name: Text250 | None = None
    discount_code: DiscountCodeText | None = None
    discount_codes: DiscountCodes | None = None
    force_3ds: bool | None = None
    mandate_min_amount_inr_paise: PositiveInt32 | None = None
    """Changes nothing: this server asks for no Indian mandates."""
    metadata: Metadata | None = None
    on_demand: OnDemandRequest | None = None
    one_time_product_cart: Annotated[list[CartItem], Meta(max_length=80)] | None = None
    payment_link: bool | None = None
    payment_method_id: ObjectId | None = None
    redirect_immediately: bool | None = None
    require_phone_number: bool | None = None
    return_url: Url | None = None
    short_link: bool | None = None
    """Changes nothing: every payment link is as short as the checkout script allows, with an id of 8 characters."""
    show_saved_payment_methods: bool | None = None
    tax_id: TaxIdText | None = None
    trial_period_days: TrialDays | None = None


class OneTimeItem(ResponseBody, frozen=True, kw_only=True):
    """What was sold once with the first payment."""

    product_id: str
    quantity: int


class SubscriptionCreated(ResponseBody, frozen=True, kw_only=True):
    """The answer of POST /subscriptions."""

    subscription_id: str
    payment_id: str
    customer: CustomerLimitedDetails
    metadata: dict[str, Any]
    addons: list[AddonOfPlan]
    recurring_pre_tax_amount: Annotated[int, Meta(ge=0, le=INT32_MAX)]
    payment_method_required: bool
    client_secret: str | None
    payment_link: str | None
    expires_on: datetime | None
    discount_id: str | None
    discount_ids: list[str] | None
    one_time_product_cart: list[OneTimeItem] | None
    trial_amount: int | None


def read_subscription(body: SubscriptionCreate) -> SubscriptionRequest:
    """Return the subscription that a request asks for."""
    demand = body.on_demand
    return SubscriptionRequest(
        payment=PaymentRequest(
            items=[],
            billing=read_address(body.billing),
            customer=read_requested_customer(body.customer),
            fees_inclusive=None if demand is None else demand.adaptive_currency_fees_inclusive,
            allowed_payment_method_types=known_types(body.allowed_payment_method_types),
            billing_currency=body.billing_currency,
            customer_business_name=body.customer_business_name,
            discount_code=body.discount_code,
            discount_codes=body.discount_codes,
            force_3ds=body.force_3ds,
            metadata=body.metadata or {},
            payment_link=bool(body.payment_link),
            payment_method_id=body.payment_method_id,
            redirect_immediately=bool(body.redirect_immediately),
            require_phone_number=bool(body.require_phone_number),
            return_url=body.return_url,
            short_link=bool(body.short_link),
            show_saved_payment_methods=bool(body.show_saved_payment_methods),
            tax_id=body.tax_id,
        ),
        plans=[
            RequestedPlan(product_id=body.product_id, quantity=body.quantity, addons=read_addons(body.addons)),
        ],
        one_time_items=[
            RequestedItem(item.product_id, item.quantity, item.amount) for item in body.one_time_product_cart or []
        ],
        trial_period_days=body.trial_period_days,
        on_demand=None if demand is None else read_on_demand(demand),
    )


def read_on_demand(demand: OnDemandRequest) -> OnDemand:
    """Return the charging on demand that a request asks for."""
    return OnDemand(
        mandate_only=demand.mandate_only,
        product_price=demand.product_price,
        product_currency=demand.product_currency,
        product_description=demand.product_description,
        fees_inclusive=demand.adaptive_currency_fees_inclusive,
    )


def read_addons(addons: list[AttachedAddon] | None) -> list[RequestedAddon]:
    """Return the add-ons that a request asks for."""
    return [RequestedAddon(addon.addon_id, addon.quantity) for addon in addons or [] if addon.quantity]


def render_created_subscription(created: CreatedSubscription, link: str | None) -> SubscriptionCreated:
    """Render a subscription that was just created; its client secret is shown here and never again."""
    subscription, payment, ids = created.subscription, created.payment, created.discount_ids
    return SubscriptionCreated(
        subscription_id=subscription.subscription_id,
        payment_id=payment.payment_id,
        customer=render_buyer(subscription.customer),
        metadata=subscription.metadata,
        addons=render_addons(subscription.plan),
        recurring_pre_tax_amount=subscription.recurring_pre_tax_amount,
        payment_method_required=subscription.payment_method_required,
        client_secret=created.client_secret,
        payment_link=link,
        expires_on=payment.expires_on if link else None,
        discount_id=ids[0] if ids else None,
        discount_ids=list(ids) or None,
        one_time_product_cart=[
            OneTimeItem(product_id=item.product_id, quantity=item.quantity) for item in created.one_time_items
        ]
        or None,
        trial_amount=subscription.trial_amount,
    )
