"""The wire types of payments (contract, "POST /payments") that create a payment, and what reads share with them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from nicobar.core.discounts.discounts import normalise_code
from nicobar.core.payments.payment import Payment
from nicobar.core.problems import Problem
from nicobar.wire.codes import CurrencyCode, PaymentMethodType
from nicobar.wire.common import (
    INT32_MAX,
    Amount,
    BillingAddress,
    Email,
    Metadata,
    ObjectId,
    Phone,
    RequestBody,
    ResponseBody,
    Text250,
    Url,
    blank_to_none,
)
from nicobar.wire.customers.buyers import CustomerLimitedDetails, render_buyer

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
    """Changes nothing: every payment link is as short as the checkout script allows, with an id of 8 characters."""
    show_saved_payment_methods: bool | None = None
    tax_id: Annotated[str, Meta(max_length=64)] | None = None


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
