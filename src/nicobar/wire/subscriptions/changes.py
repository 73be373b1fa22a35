"""The wire types of changing subscriptions (contract, sections 10 to 16)."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from nicobar.core.problems import Problem
from nicobar.core.subscriptions.calendar import Interval
from nicobar.core.subscriptions.change_request import SubscriptionChange
from nicobar.core.subscriptions.plan_change import EffectiveAt
from nicobar.core.subscriptions.plan_change_request import DemandedCharge, MethodUpdate, PlanChangeRequest
from nicobar.core.subscriptions.proration import ProrationMode
from nicobar.core.subscriptions.subscription import Feedback, OnFailure, SubscriptionStatus
from nicobar.wire.codes import CurrencyCode
from nicobar.wire.common import (
    Amount,
    BillingAddress,
    DiscountCodes,
    DiscountCodeText,
    Metadata,
    MethodTypes,
    ObjectId,
    PageQuery,
    PositiveInt32,
    RequestBody,
    ResponseBody,
    TaxIdText,
    Text250,
    Text1000,
    Url,
    in_utc,
    known_types,
    read_address,
)
from nicobar.wire.subscriptions.creation import AttachedAddons, SubscriptionQuantity, read_addons

CancelReason = Literal[
    "cancelled_by_customer",
    "cancelled_by_merchant",
    "cancelled_by_merchant_send_dunning",
    "cancelled_by_merchant_grace_period_expired",
    "dodo_team",
]


class OnDemandEnd(RequestBody, frozen=True, kw_only=True):
    """From when on a subscription is charged by its dates."""

    next_billing_date: datetime


class SubscriptionUpdate(RequestBody, frozen=True, kw_only=True):
    """The body of PATCH /subscriptions/{subscription_id}: what is left out or null stays.

    Null clears `customer_business_name` and `tax_id`. To pause or resume, `status` has to be the only field.
    """

    billing: BillingAddress | None = None
    cancel_at_next_billing_date: bool | None = None
    cancel_reason: CancelReason | None = None
    """Accepted, and shown nowhere: this server has no mails that would differ."""
    cancellation_comment: Text1000 | None = None
    cancellation_feedback: Feedback | None = None
    credit_entitlement_cart: Annotated[list[dict[str, Any]], Meta(max_length=5)] | None = None
    """Only an empty list: subscriptions of this server have no credit entitlements."""
    customer_business_name: Text250 | UnsetType | None = UNSET
    customer_name: Text250 | None = None
    disable_on_demand: OnDemandEnd | None = None
    metadata: Metadata | None = None
    next_billing_date: datetime | None = None
    pause: bool | None = None
    """Removed from the contract: send `status: paused` or `status: active`."""
    status: SubscriptionStatus | None = None
    subscription_period_count: PositiveInt32 | None = None
    subscription_period_interval: Interval | None = None
    tax_id: TaxIdText | UnsetType | None = UNSET


class PlanChangeBody(RequestBody, frozen=True, kw_only=True):
    """The body of POST /subscriptions/{subscription_id}/change-plan, and of its preview."""

    product_id: ObjectId
    quantity: SubscriptionQuantity
    proration_billing_mode: ProrationMode
    adaptive_currency_fees_inclusive: bool | None = None
    addons: AttachedAddons | None = None
    """The whole new set: null and an empty list remove all add-ons."""
    cancel_older_payment_link: bool | None = None
    cancel_scheduled_change_plan: bool | None = None
    collect_via_payment_link: bool | None = None
    discount_code: DiscountCodeText | None = None
    discount_codes: DiscountCodes | None = None
    effective_at: EffectiveAt | None = None
    metadata: Metadata | None = None
    on_payment_failure: OnFailure | None = None
    return_url: Url | None = None


class PaymentHandles(ResponseBody, frozen=True, kw_only=True):
    """A payment on a hosted page; all null when the stored method was charged, or nothing was due."""

    payment_id: str | None = None
    payment_link: str | None = None
    client_secret: str | None = None
    expires_on: datetime | None = None


class SubscriptionCharge(RequestBody, frozen=True, kw_only=True):
    """The body of POST /subscriptions/{subscription_id}/charge."""

    product_price: Amount
    adaptive_currency_fees_inclusive: bool | None = None
    customer_balance_config: dict[str, bool | None] | None = None
    """Changes nothing: this server has no wallets."""
    metadata: Metadata | None = None
    product_currency: CurrencyCode | None = None
    product_description: Text1000 | None = None


class SubscriptionCharged(ResponseBody, frozen=True, kw_only=True):
    """The answer of a charge on demand; webhooks tell how it ends."""

    payment_id: str


class MethodOfUpdate(RequestBody, frozen=True, kw_only=True):
    """Another payment method: `new`, which the customer types on a page, or an `existing` saved one."""

    type: Literal["new", "existing"]
    payment_method_id: ObjectId | None = None
    return_url: Url | None = None
    allowed_payment_method_types: MethodTypes | None = None


class MethodUpdateBody(RequestBody, frozen=True, kw_only=True):
    """The body of POST /subscriptions/{subscription_id}/update-payment-method: the method itself, or wrapped."""

    type: Literal["new", "existing"] | None = None
    payment_method_id: ObjectId | None = None
    return_url: Url | None = None
    allowed_payment_method_types: MethodTypes | None = None
    payment_method: MethodOfUpdate | None = None


class UsageHistoryQuery(PageQuery, frozen=True, kw_only=True):
    """The query of GET /subscriptions/{subscription_id}/usage-history."""

    start_date: datetime | None = None
    end_date: datetime | None = None
    meter_id: str | None = None


class UsagePeriod(ResponseBody, frozen=True, kw_only=True):
    """What was used in one period."""

    start_date: datetime
    end_date: datetime
    meters: list[dict[str, Any]]


class CreditUsage(ResponseBody, frozen=True, kw_only=True):
    """The answer of GET /subscriptions/{subscription_id}/credit-usage."""

    subscription_id: str
    items: list[dict[str, Any]]


def read_subscription_change(body: SubscriptionUpdate) -> SubscriptionChange:
    """Return the change that a request asks for.

    Raises Problem INVALID_REQUEST_PARAMETERS for a status that cannot be set and for `pause`, and UNSUPPORTED_ACTION
    for credit entitlements.
    """
    if body.pause is not None:
        raise _refused("pause", "pause was removed: send status paused, or status active to resume")
    status = body.status
    if status not in (None, "cancelled", "paused", "active"):
        raise _refused("status", f"status cannot be set to {status}: send cancelled, paused or active")
    if body.credit_entitlement_cart:
        detail = "Subscriptions have no credit entitlements here"
        raise Problem("UNSUPPORTED_ACTION", detail=detail, path="credit_entitlement_cart")
    return SubscriptionChange(
        billing=UNSET if body.billing is None else read_address(body.billing),
        customer_name=UNSET if body.customer_name is None else body.customer_name,
        customer_business_name=body.customer_business_name or None
        if body.customer_business_name is not UNSET
        else UNSET,
        tax_id=(body.tax_id or None) if body.tax_id is not UNSET else UNSET,
        metadata=UNSET if body.metadata is None else body.metadata,
        next_billing_date=UNSET if body.next_billing_date is None else _moment(body.next_billing_date),
        term_count=UNSET if body.subscription_period_count is None else body.subscription_period_count,
        term_interval=UNSET if body.subscription_period_interval is None else body.subscription_period_interval,
        first_billing_date=UNSET
        if body.disable_on_demand is None
        else _moment(body.disable_on_demand.next_billing_date),
        cancel_at_next_billing_date=UNSET
        if body.cancel_at_next_billing_date is None
        else body.cancel_at_next_billing_date,
        feedback=UNSET if body.cancellation_feedback is None else body.cancellation_feedback,
        comment=UNSET if body.cancellation_comment is None else body.cancellation_comment,
        status=UNSET if status not in ("cancelled", "paused", "active") else status,
    )


def _moment(at: datetime) -> datetime:
    moment = in_utc(at)
    assert moment is not None  # noqa: S101 - a moment stays one
    return moment


def _refused(path: str, detail: str) -> Problem:
    return Problem("INVALID_REQUEST_PARAMETERS", path=path, detail=detail)


def read_plan_change(body: PlanChangeBody) -> PlanChangeRequest:
    """Return the plan change that a request asks for.

    Raises Problem INVALID_REQUEST_PARAMETERS for both kinds of codes, and for a `return_url` that nobody returns to.
    """
    if body.discount_code is not None and body.discount_codes is not None:
        raise _refused("discount_code", "Send discount_code or discount_codes, not both")
    if body.return_url is not None and not body.collect_via_payment_link:
        raise _refused("return_url", "return_url needs collect_via_payment_link")
    codes: list[str] | UnsetType = UNSET
    if body.discount_codes is not None:
        codes = body.discount_codes
    elif body.discount_code is not None:
        codes = [body.discount_code]
    return PlanChangeRequest(
        product_id=body.product_id,
        quantity=body.quantity,
        mode=body.proration_billing_mode,
        addons=read_addons(body.addons),
        discount_codes=codes,
        effective_at=body.effective_at or "immediately",
        on_failure=body.on_payment_failure,
        metadata=body.metadata,
        fees_inclusive=body.adaptive_currency_fees_inclusive,
        replaces_scheduled=bool(body.cancel_scheduled_change_plan),
        collect_via_link=bool(body.collect_via_payment_link),
    )


def read_charge(body: SubscriptionCharge) -> DemandedCharge:
    """Return the charge that a request asks for."""
    return DemandedCharge(
        price=body.product_price,
        currency=body.product_currency,
        description=body.product_description,
        fees_inclusive=body.adaptive_currency_fees_inclusive,
        metadata=body.metadata,
    )


def read_method_update(body: MethodUpdateBody) -> MethodUpdate:
    """Return the method that a request asks for. Raises Problem INVALID_REQUEST_BODY when it names none."""
    given = body.payment_method or body
    if given.type is None:
        raise Problem("INVALID_REQUEST_BODY", path="type", detail="This field is required.")
    if given.type == "existing" and given.payment_method_id is None:
        raise Problem("INVALID_REQUEST_BODY", path="payment_method_id", detail="This field is required.")
    if given.type == "existing":
        return MethodUpdate(payment_method_id=given.payment_method_id)
    return MethodUpdate(return_url=given.return_url, allowed_types=known_types(given.allowed_payment_method_types))
