"""What somebody asks for who creates a payment: the API, the demo, a session, later renewals."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from nicobar.core.customers.buyer import Address
from nicobar.core.payments.payment import CustomFieldResponse, Payment, PaymentOptions
from nicobar.core.pricing.cart import CartRequest, RequestedItem


class RequestedCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """A known customer by id, or a new one by e-mail address; with both, the id wins. A blank text counts as none."""

    customer_id: str | None = None
    email: str | None = None
    name: str | None = None
    phone_number: str | None = None


class PaymentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A payment to create. A blank text counts as none."""

    items: Sequence[RequestedItem]
    billing: Address
    customer: RequestedCustomer | None
    """None in a draft alone: nobody knows the customer yet."""
    fees_inclusive: bool | None = None
    """None means the business's setting."""
    allowed_payment_method_types: Sequence[str] | None = None
    """None means every eligible type."""
    billing_currency: str | None = None
    customer_business_name: str | None = None
    discount_code: str | None = None
    """The deprecated way to give one code."""
    discount_codes: Sequence[str] | None = None
    force_3ds: bool | None = None
    metadata: dict[str, Any] = {}
    payment_link: bool = False
    payment_method_id: str | None = None
    """A saved method of the customer's, which is charged at once."""
    redirect_immediately: bool = False
    require_phone_number: bool = False
    return_url: str | None = None
    short_link: bool = False
    show_saved_payment_methods: bool = False
    tax_id: str | None = None
    checkout_session_id: str | None = None
    """The session that it is made of."""
    custom_field_responses: list[CustomFieldResponse] | None = None
    locked: Sequence[str] = ()
    """As in `PaymentOptions`, and so is the next."""
    minimal_address: bool = False
    expires_on: datetime | None = None
    """When it can be paid no longer; None: as the business's setting has it."""
    confirmed: bool = False
    """Whether nobody has to visit a page for it, so that one of nothing succeeds at once."""
    always_new_customer: bool = False
    """Whether an e-mail address stands for somebody new, even where it is a customer's already."""
    guessed_country: bool = False
    """In a draft: whether the country of `billing` is ours, as nobody has told one."""
    draft: bool = False
    """Whether it is only priced: lines without a price of the buyer's cost what the product suggests."""


class CreatedPayment(NamedTuple):
    """A payment that was just created."""

    payment: Payment
    client_secret: str
    """Shown once; only its hash is stored."""
    discount_ids: Sequence[str]
    """The discounts whose codes it uses, in the order of the codes."""

    def __repr__(self) -> str:
        """Name the payment, and not the secret."""
        return f"CreatedPayment({self.payment.payment_id})"


def cart_request(
    items: Sequence[RequestedItem],
    billing: Address,
    options: PaymentOptions,
    *,
    customer_id: str | None = None,
    email_key: str | None = None,
    single_code: bool = False,
    suggest_amounts: bool = False,
) -> CartRequest:
    """Return the request that prices a cart under a payment's options: at its creation, in a draft, and again."""
    return CartRequest(
        items=items,
        billing=billing,
        customer_id=customer_id,
        email_key=email_key,
        billing_currency=options.billing_currency,
        fees_inclusive=options.adaptive_currency_fees_inclusive,
        tax_id=options.tax_id,
        discount_codes=options.discount_codes,
        single_code=single_code,
        suggest_amounts=suggest_amounts,
    )
