"""The wire types of reading subscriptions (contract, "Subscription object"), and how one is rendered."""

from datetime import datetime
from typing import Any

from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment import CustomFieldResponse
from nicobar.core.subscriptions.plan import Plan
from nicobar.core.subscriptions.subscription import (
    CancelledBy,
    Feedback,
    PlanChange,
    Subscription,
    SubscriptionStatus,
)
from nicobar.core.subscriptions.whole_subscription import SubscriptionDiscount, WholeSubscription
from nicobar.wire.codes import TimeInterval
from nicobar.wire.common import PageQuery, RequestBody, ResponseBody
from nicobar.wire.customers.buyers import CustomerLimitedDetails, render_buyer
from nicobar.wire.discounts.discounts import DiscountDetail


class AddonOfPlan(ResponseBody, frozen=True, kw_only=True):
    """An add-on and how many of it."""

    addon_id: str
    quantity: int


class ScheduledAddon(AddonOfPlan, frozen=True, kw_only=True):
    """An add-on of a scheduled change."""

    name: str


class ScheduledPlanChange(ResponseBody, frozen=True, kw_only=True):
    """A plan change that waits for the next billing date."""

    id: str
    product_id: str
    quantity: int
    effective_at: datetime
    created_at: datetime
    addons: list[ScheduledAddon]
    product_name: str | None
    product_description: str | None


class SubscriptionCanceller(ResponseBody, frozen=True, kw_only=True):
    """Who cancelled a subscription, or scheduled it."""

    actor_type: str
    email: str | None
    name: str | None


class SubscriptionFields(ResponseBody, frozen=True, kw_only=True):
    """What the list and the whole subscription share."""

    subscription_id: str
    product_id: str
    customer: CustomerLimitedDetails
    billing: Address
    status: SubscriptionStatus
    created_at: datetime
    quantity: int
    currency: str
    recurring_pre_tax_amount: int
    """One renewal after the product's discount, before codes, in minor units; `tax_inclusive` says if tax is in it."""
    tax_inclusive: bool
    payment_frequency_count: int
    payment_frequency_interval: TimeInterval
    subscription_period_count: int
    subscription_period_interval: TimeInterval
    """The term: the total life of the subscription."""
    previous_billing_date: datetime
    next_billing_date: datetime
    trial_period_days: int
    trial_amount: int | None
    on_demand: bool
    has_payment_method: bool
    payment_method_id: str | None
    cancel_at_next_billing_date: bool
    cancelled_at: datetime | None
    cancelled_by: SubscriptionCanceller | None
    paused_at: datetime | None
    scheduled_change: ScheduledPlanChange | None
    discount_id: str | None
    discount_cycles_remaining: int | None
    tax_id: str | None
    customer_business_name: str | None
    metadata: dict[str, Any]


class SubscriptionRead(SubscriptionFields, frozen=True, kw_only=True):
    """The whole subscription. Meters and credit entitlements belong to usage plans, which this server does not have."""

    brand_id: str
    addons: list[AddonOfPlan]
    meters: list[dict[str, Any]]
    credit_entitlement_cart: list[dict[str, Any]]
    meter_credit_entitlement_cart: list[dict[str, Any]]
    cancellation_feedback: Feedback | None
    cancellation_comment: str | None
    custom_field_responses: list[CustomFieldResponse] | None
    expires_at: datetime | None
    discounts: list[DiscountDetail] | None


class SubscriptionEventData(SubscriptionRead, frozen=True, kw_only=True):
    """The whole subscription as webhooks carry it, with their two extra keys."""

    past_due_ends_at: datetime | None
    payment_id: str | None


class SubscriptionListDiscount(ResponseBody, frozen=True, kw_only=True):
    """A discount of a subscription in the list."""

    discount_id: str
    discount_cycles_remaining: int | None


class SubscriptionListItem(SubscriptionFields, frozen=True, kw_only=True):
    """One subscription in the list."""

    discounts: list[SubscriptionListDiscount]
    product_name: str | None


class SubscriptionQuery(RequestBody, frozen=True, kw_only=True):
    """The query of GET /subscriptions/{id}."""

    locale: str | None = None


class SubscriptionListQuery(PageQuery, frozen=True, kw_only=True):
    """The filters of GET /subscriptions; dates are inclusive."""

    created_at_gte: datetime | None = None
    created_at_lte: datetime | None = None
    status: SubscriptionStatus | None = None
    customer_id: str | None = None
    product_id: str | None = None
    brand_id: str | None = None
    cancel_at_next_billing_date: bool | None = None
    locale: str | None = None


def render_subscription(whole: WholeSubscription) -> SubscriptionRead:
    """Render the whole subscription."""
    return SubscriptionRead(**_whole(whole))


def render_subscription_event(whole: WholeSubscription) -> SubscriptionEventData:
    """Render the whole subscription as an event tells of it."""
    return SubscriptionEventData(
        **_whole(whole),
        past_due_ends_at=whole.subscription.past_due_ends_at,
        payment_id=whole.payment_id,
    )


def render_subscription_item(subscription: Subscription) -> SubscriptionListItem:
    """Render one row of the list."""
    return SubscriptionListItem(
        **_shared(subscription),
        discounts=[
            SubscriptionListDiscount(
                discount_id=code.terms.discount_id, discount_cycles_remaining=code.cycles_remaining
            )
            for code in subscription.codes
        ],
        product_name=subscription.plan.product.name,
    )


def render_addons(plan: Plan) -> list[AddonOfPlan]:
    """Render the add-ons of a plan."""
    return [AddonOfPlan(addon_id=line.sold.product_id, quantity=line.quantity) for line in plan.addons]


def _whole(whole: WholeSubscription) -> dict[str, Any]:
    subscription = whole.subscription
    details = [
        _discount(subscription.business_id, position, discount) for position, discount in enumerate(whole.discounts)
    ]
    return _shared(subscription) | {
        "brand_id": subscription.brand_id,
        "addons": render_addons(subscription.plan),
        "meters": [],
        "credit_entitlement_cart": [],
        "meter_credit_entitlement_cart": [],
        "cancellation_feedback": subscription.cancellation_feedback,
        "cancellation_comment": subscription.cancellation_comment,
        "custom_field_responses": subscription.custom_field_responses,
        "expires_at": subscription.expires_at,
        "discounts": details or None,
    }


def _shared(subscription: Subscription) -> dict[str, Any]:
    plan, first = subscription.plan, subscription.codes[0] if subscription.codes else None
    change = subscription.scheduled_change
    return {
        "subscription_id": subscription.subscription_id,
        "product_id": plan.product_id,
        "customer": render_buyer(subscription.customer),
        "billing": subscription.billing,
        "status": subscription.status,
        "created_at": subscription.created_at,
        "quantity": plan.product.quantity,
        "currency": subscription.currency,
        "recurring_pre_tax_amount": subscription.recurring_pre_tax_amount,
        "tax_inclusive": subscription.tax_inclusive,
        "payment_frequency_count": plan.frequency.count,
        "payment_frequency_interval": plan.frequency.interval,
        "subscription_period_count": plan.term.count,
        "subscription_period_interval": plan.term.interval,
        "previous_billing_date": subscription.previous_billing_date,
        "next_billing_date": subscription.next_billing_date,
        "trial_period_days": subscription.trial_period_days,
        "trial_amount": subscription.trial_amount,
        "on_demand": subscription.on_demand,
        "has_payment_method": subscription.has_payment_method,
        "payment_method_id": subscription.payment_method_id,
        "cancel_at_next_billing_date": subscription.cancel_at_next_billing_date,
        "cancelled_at": subscription.cancelled_at,
        "cancelled_by": None if subscription.cancelled_by is None else _canceller(subscription.cancelled_by),
        "paused_at": subscription.paused_at,
        "scheduled_change": None if change is None else _scheduled(change, subscription),
        "discount_id": None if first is None else first.terms.discount_id,
        "discount_cycles_remaining": None if first is None else first.cycles_remaining,
        "tax_id": subscription.tax_id,
        "customer_business_name": subscription.customer_business_name,
        "metadata": subscription.metadata,
    }


def _canceller(by: CancelledBy) -> SubscriptionCanceller:
    return SubscriptionCanceller(actor_type=by.actor_type, email=by.email, name=by.name)


def _scheduled(change: PlanChange, subscription: Subscription) -> ScheduledPlanChange:
    product = change.plan.product
    return ScheduledPlanChange(
        id=change.change_id,
        product_id=change.plan.product_id,
        quantity=product.quantity,
        effective_at=subscription.next_billing_date,
        created_at=change.created_at,
        addons=[
            ScheduledAddon(addon_id=line.sold.product_id, quantity=line.quantity, name=line.name)
            for line in change.plan.addons
        ],
        product_name=product.name,
        product_description=product.description,
    )


def _discount(business_id: str, position: int, discount: SubscriptionDiscount) -> DiscountDetail:
    terms = discount.code.terms
    return DiscountDetail(
        discount_id=terms.discount_id,
        business_id=business_id,
        code=terms.code,
        type=terms.type,
        amount=terms.amount,
        position=position,
        times_used=discount.times_used,
        restricted_to=sorted(terms.restricted_to),
        preserve_on_plan_change=discount.code.preserve_on_plan_change,
        created_at=discount.created_at,
        metadata=discount.metadata,
        name=discount.name,
        expires_at=discount.expires_at,
        usage_limit=discount.usage_limit,
        subscription_cycles=discount.subscription_cycles,
        cycles_remaining=discount.code.cycles_remaining,
    )
