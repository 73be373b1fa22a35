"""The wire types of payments (contract, "POST /payments" and "Reading payments"), and how a payment is rendered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

from nicobar.core.discounts import normalise_code
from nicobar.core.payment import Address, Buyer, Payment, PaymentLine
from nicobar.core.problems import Problem
from nicobar.wire.codes import CurrencyCode, IntentStatus, PaymentMethodType
from nicobar.wire.common import (
    INT32_MAX,
    Amount,
    Answer,
    BillingAddress,
    Email,
    Metadata,
    ObjectId,
    PageQuery,
    Phone,
    RequestBody,
    Text250,
    Url,
    blank_to_none,
)
from nicobar.wire.discounts import DiscountDetail

MAXIMUM_QUANTITY = 10_000
"""Units of one cart line."""

DiscountCodeText = Annotated[str, Meta(max_length=64)]


class CustomerRequest(RequestBody, frozen=True, kw_only=True):
    """Either an existing customer (`customer_id`) or a new one (`email`); with both, `customer_id` wins."""

    customer_id: ObjectId | None = None
    email: Email | None = None
    name: Text250 | None = None
    phone_number: Phone | None = None


class CartItem(RequestBody, frozen=True, kw_only=True):
    """One line of the cart."""

    product_id: ObjectId
    quantity: Annotated[int, Meta(ge=0, le=MAXIMUM_QUANTITY)]
    amount: Amount | None = None
    """The price of one unit that the customer chose, for a pay-what-you-want product; otherwise ignored."""


class PaymentCreate(RequestBody, frozen=True, kw_only=True):
    """The body of POST /payments. Null equals "not sent" everywhere."""

    billing: BillingAddress
    customer: CustomerRequest
    product_cart: Annotated[list[CartItem], Meta(max_length=100)]
    adaptive_currency_fees_inclusive: bool | None = None
    allowed_payment_method_types: Annotated[list[PaymentMethodType], Meta(max_length=200)] | None = None
    billing_currency: CurrencyCode | None = None
    customer_business_name: Text250 | None = None
    discount_code: DiscountCodeText | None = None
    discount_codes: Annotated[list[DiscountCodeText], Meta(max_length=20)] | None = None
    force_3ds: bool | None = None
    metadata: Metadata | None = None
    payment_link: bool | None = None
    payment_method_id: ObjectId | None = None
    redirect_immediately: bool | None = None
    require_phone_number: bool | None = None
    return_url: Url | None = None
    short_link: bool | None = None
    show_saved_payment_methods: bool | None = None
    tax_id: Annotated[str, Meta(max_length=64)] | None = None


class CustomerLimitedDetails(Answer, frozen=True, kw_only=True):
    """The customer as a payment shows it."""

    customer_id: str
    email: str
    name: str
    metadata: dict[str, Any]
    phone_number: str | None


class CreatedCartItem(Answer, frozen=True, kw_only=True):
    """A cart line as POST /payments echoes it."""

    product_id: str
    quantity: int
    amount: int | None


class PaymentCreated(Answer, frozen=True, kw_only=True):
    """The answer of POST /payments."""

    payment_id: str
    client_secret: str
    total_amount: Annotated[int, Meta(ge=0, le=INT32_MAX)]
    customer: CustomerLimitedDetails
    metadata: dict[str, Any]
    discount_id: str | None
    discount_ids: list[str] | None
    expires_on: datetime | None
    payment_link: str | None
    product_cart: list[CreatedCartItem]


class PaidCartItem(Answer, frozen=True, kw_only=True):
    """A cart line as a read payment shows it."""

    product_id: str
    quantity: int


class PaymentListItem(Answer, frozen=True, kw_only=True):
    """One payment in the list."""

    brand_id: str
    created_at: datetime
    currency: str
    customer: CustomerLimitedDetails
    digital_products_delivered: bool
    has_license_key: bool
    includes_usage: bool
    is_multi_subscription: bool
    metadata: dict[str, Any]
    payment_id: str
    payment_provider: Literal["stripe", "adyen", "dodo"]
    retry_attempt: int
    service_periods: list[dict[str, Any]]
    subscription_ids: list[str]
    total_amount: int
    card_exp_month: str | None
    card_exp_year: str | None
    card_last_four: str | None
    card_network: str | None
    card_type: str | None
    charge_type: str | None
    checkout_session_id: str | None
    dispute_status: str | None
    invoice_id: str | None
    invoice_url: str | None
    payment_method: str | None
    payment_method_type: str | None
    refund_status: str | None
    status: IntentStatus
    subscription_id: str | None
    three_ds_flow: str | None
    three_ds_status: str | None
    three_ds_version: str | None


class PaymentRead(Answer, frozen=True, kw_only=True):
    """The whole payment. Keys of subscriptions, refunds and disputes are present with their empty values."""

    billing: Address
    brand_id: str
    business_id: str
    created_at: datetime
    currency: str
    customer: CustomerLimitedDetails
    digital_products_delivered: bool
    disputes: list[dict[str, Any]]
    includes_usage: bool
    is_multi_subscription: bool
    is_update_payment_method: bool
    metadata: dict[str, Any]
    payment_id: str
    payment_provider: Literal["stripe", "adyen", "dodo"]
    refunds: list[dict[str, Any]]
    retry_attempt: int
    service_periods: list[dict[str, Any]]
    settlement_amount: int
    settlement_currency: str
    subscription_ids: list[str]
    total_amount: int
    card_exp_month: str | None
    card_exp_year: str | None
    card_holder_name: str | None
    card_issuing_country: str | None
    card_last_four: str | None
    card_network: str | None
    card_type: str | None
    charge_type: str | None
    checkout_session_id: str | None
    custom_field_responses: list[dict[str, str]] | None
    discount_id: str | None
    discounts: list[DiscountDetail] | None
    error_code: str | None
    error_message: str | None
    invoice_id: str | None
    invoice_url: str | None
    payment_link: str | None
    payment_method: str | None
    payment_method_id: str | None
    payment_method_type: str | None
    product_cart: list[PaidCartItem] | None
    refund_status: str | None
    settlement_tax: int | None
    status: IntentStatus
    subscription_id: str | None
    tax: int | None
    three_ds_flow: str | None
    three_ds_status: str | None
    three_ds_version: str | None
    updated_at: datetime | None


class PaymentListQuery(PageQuery, frozen=True, kw_only=True):
    """The filters of GET /payments; dates are inclusive."""

    created_at_gte: datetime | None = None
    created_at_lte: datetime | None = None
    status: IntentStatus | None = None
    currency: CurrencyCode | None = None
    customer_id: str | None = None
    product_id: str | None = None
    brand_id: str | None = None
    subscription_id: str | None = None


class LineItem(Answer, frozen=True, kw_only=True):
    """One line of a payment, as refunds need it."""

    items_id: str
    name: str | None
    description: str | None
    amount: int
    """After discounts, without tax."""
    tax: int
    refundable_amount: int


class LineItems(Answer, frozen=True, kw_only=True):
    """The answer of GET /payments/{payment_id}/line-items."""

    currency: str
    partial_refund_allowed: bool
    items: list[LineItem]


class LineItemsQuery(RequestBody, frozen=True, kw_only=True):
    """The query of GET /payments/{payment_id}/line-items."""

    currency: CurrencyCode | None = None


def requested_codes(single: str | None, several: Sequence[str] | None) -> list[str]:
    """Return the discount codes of a request, normalised, in their order.

    Raises Problem INVALID_REQUEST_BODY when both fields are used or a code stands twice.
    """
    single = blank_to_none(single)
    if single is not None and several is not None:
        detail = "Send discount_code or discount_codes, not both."
        raise Problem("INVALID_REQUEST_BODY", path="discount_code", detail=detail)
    codes = [normalise_code(single)] if single is not None else [normalise_code(text) for text in several or ()]
    for index, code in enumerate(codes):
        where = f"discount_codes[{index}]"
        if not code:
            raise Problem("INVALID_REQUEST_BODY", path=where, detail="It is blank.")
        if code in codes[:index]:
            raise Problem("INVALID_REQUEST_BODY", path=where, detail=f"{code} is in the list twice.")
    return codes


def render_buyer(buyer: Buyer) -> CustomerLimitedDetails:
    """Render the customer of a payment."""
    return CustomerLimitedDetails(
        customer_id=buyer.customer_id,
        email=buyer.email,
        name=buyer.name,
        metadata=buyer.metadata,
        phone_number=buyer.phone_number,
    )


def render_created(
    payment: Payment, client_secret: str, link: str | None, discount_ids: Sequence[str]
) -> PaymentCreated:
    """Render a payment that was just created; `client_secret` is shown here and never again."""
    return PaymentCreated(
        payment_id=payment.payment_id,
        client_secret=client_secret,
        total_amount=payment.total_amount,
        customer=render_buyer(payment.customer),
        metadata=payment.metadata,
        discount_id=discount_ids[0] if discount_ids else None,
        discount_ids=list(discount_ids) or None,
        expires_on=payment.expires_on if link else None,
        payment_link=link,
        product_cart=[
            CreatedCartItem(product_id=line.product_id, quantity=line.quantity, amount=line.amount)
            for line in payment.lines
        ],
    )


def render_payment(
    payment: Payment, link: str | None, api_url: str, discounts: Sequence[DiscountDetail]
) -> PaymentRead:
    """Render the whole payment; `link` is the hosted page's URL, `api_url` the base of the merchant's API."""
    card = payment.card
    succeeded = payment.status == "succeeded"
    return PaymentRead(
        billing=payment.billing,
        brand_id=payment.brand_id,
        business_id=payment.business_id,
        created_at=payment.created_at,
        currency=payment.currency,
        customer=render_buyer(payment.customer),
        digital_products_delivered=False,
        disputes=[],
        includes_usage=False,
        is_multi_subscription=False,
        is_update_payment_method=False,
        metadata=payment.metadata,
        payment_id=payment.payment_id,
        payment_provider="dodo",
        refunds=[],
        retry_attempt=0,
        service_periods=[],
        settlement_amount=payment.settlement_amount,
        settlement_currency=payment.settlement_currency,
        subscription_ids=[],
        total_amount=payment.total_amount,
        card_exp_month=card.exp_month if card else None,
        card_exp_year=card.exp_year if card else None,
        card_holder_name=card.holder_name if card else None,
        card_issuing_country=card.issuing_country if card else None,
        card_last_four=card.last_four if card else None,
        card_network=card.network if card else None,
        card_type=card.funding if card else None,
        charge_type=None,
        checkout_session_id=None,
        custom_field_responses=None,
        discount_id=discounts[0].discount_id if discounts else None,
        discounts=list(discounts) or None,
        error_code=payment.error_code,
        error_message=payment.error_message,
        invoice_id=None,
        invoice_url=f"{api_url}/invoices/payments/{payment.payment_id}" if succeeded else None,
        payment_link=link,
        payment_method=payment.payment_method,
        payment_method_id=None,
        payment_method_type=payment.payment_method_type,
        product_cart=[PaidCartItem(product_id=line.product_id, quantity=line.quantity) for line in payment.lines],
        refund_status=None,
        settlement_tax=payment.settlement_tax,
        status=payment.status,
        subscription_id=None,
        tax=payment.tax,
        three_ds_flow=None,
        three_ds_status=None,
        three_ds_version=None,
        updated_at=payment.updated_at,
    )


def render_list_item(payment: Payment) -> PaymentListItem:
    """Render one row of the list; the payment's lines are not needed."""
    card = payment.card
    return PaymentListItem(
        brand_id=payment.brand_id,
        created_at=payment.created_at,
        currency=payment.currency,
        customer=render_buyer(payment.customer),
        digital_products_delivered=False,
        has_license_key=False,
        includes_usage=False,
        is_multi_subscription=False,
        metadata=payment.metadata,
        payment_id=payment.payment_id,
        payment_provider="dodo",
        retry_attempt=0,
        service_periods=[],
        subscription_ids=[],
        total_amount=payment.total_amount,
        card_exp_month=card.exp_month if card else None,
        card_exp_year=card.exp_year if card else None,
        card_last_four=card.last_four if card else None,
        card_network=card.network if card else None,
        card_type=card.funding if card else None,
        charge_type=None,
        checkout_session_id=None,
        dispute_status=None,
        invoice_id=None,
        invoice_url=None,
        payment_method=payment.payment_method,
        payment_method_type=payment.payment_method_type,
        refund_status=None,
        status=payment.status,
        subscription_id=None,
        three_ds_flow=None,
        three_ds_status=None,
        three_ds_version=None,
    )


def render_line_item(line: PaymentLine, total: int, tax: int) -> LineItem:
    """Render a line whose `total` and `tax` are in the currency of the answer."""
    return LineItem(
        items_id=line.product_id,
        name=line.name,
        description=line.description,
        amount=total - tax,
        tax=tax,
        refundable_amount=total,
    )


class ManualRetryState(Answer, frozen=True, kw_only=True):
    """The answer of GET /payments/{payment_id}/retry, which is about failed renewals of subscriptions."""

    can_retry: bool = False
    sends_allowed: int = 0
    sends_used: int = 0
    automatic_retry_number: int | None = None
    automatic_retry_total: int | None = None
    next_automatic_retry_at: datetime | None = None
    reason: str | None = "UNSUPPORTED_ACTION"
    retry_available_at: datetime | None = None
