"""The wire types of payments (contract, "POST /payments") that create a payment, and what reads share with them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from nicobar.core.payments.payment import Payment
from nicobar.core.payments.payment_request import PaymentRequest, RequestedCustomer
from nicobar.core.pricing.cart import MAXIMUM_QUANTITY, RequestedItem
from nicobar.wire.codes import CurrencyCode
from nicobar.wire.common import (
    INT32_MAX,
    Amount,
    BillingAddress,
    DiscountCodes,
    DiscountCodeText,
    Email,
    Metadata,
    MethodTypes,
    ObjectId,
    Phone,
    RequestBody,
    ResponseBody,
    TaxIdText,
    Text250,
    Url,
    known_types,
    read_address,
)
from nicobar.wire.customers.buyers import CustomerLimitedDetails, render_buyer


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
    allowed_payment_method_types: MethodTypes | None = None
    billing_currency: CurrencyCode | None = None
    customer_business_name: Text250 | None = None
    discount_code: DiscountCodeText | None = None
    discount_codes: DiscountCodes | None = None
    force_3ds: bool | None = None
    metadata: Metadata | None = None
    payment_link: bool | None = None
    payment_method_id: ObjectId | None = None
    redirect_immediately: bool | None = None
    require_phone_number: bool | None = None
    return_url: Url | None = None
    short_link: bool | None = None
    """Changes nothing: every payment link is as short as the checkout script allows, with an id of 8 characters."""
    show_saved_payment_methods: bool | None = None
    tax_id: TaxIdText | None = None


class CreatedCartItem(ResponseBody, frozen=True, kw_only=True):
    """A cart line as POST /payments echoes it."""

    product_id: str
    quantity: int
    amount: int | None


class PaymentCreated(ResponseBody, frozen=True, kw_only=True):
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


def read_payment(body: PaymentCreate) -> PaymentRequest:
    """Return the payment that a request asks for."""
    return PaymentRequest(
        items=[RequestedItem(item.product_id, item.quantity, item.amount) for item in body.product_cart],
        billing=read_address(body.billing),
        customer=read_requested_customer(body.customer),
        fees_inclusive=body.adaptive_currency_fees_inclusive,
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
    )


def read_requested_customer(customer: CustomerRequest) -> RequestedCustomer:
    """Return the customer that a request names."""
    return RequestedCustomer(
        customer_id=customer.customer_id,
        email=customer.email,
        name=customer.name,
        phone_number=customer.phone_number,
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
