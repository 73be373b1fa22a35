"""Check what can be checked of a request for a payment before anything is read. No I/O."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from nicobar.core.business.tenant import Mode
from nicobar.core.customers.buyer import Address, Buyer
from nicobar.core.customers.customer import email_key
from nicobar.core.discounts.discounts import requested_codes
from nicobar.core.fields import blank_to_none, checked_metadata
from nicobar.core.payments.payment import PaymentOptions
from nicobar.core.payments.payment_request import PaymentRequest, RequestedCustomer, cart_request
from nicobar.core.pricing.cart import CartRequest
from nicobar.core.problems import Problem
from nicobar.core.return_url import checked_return_url
from nicobar.core.simulator.simulated_scenario import check_scenario
from nicobar.core.typed_text import tidy
from nicobar.reference import failures
from nicobar.reference.contacts import checked_email, checked_phone


class CheckedRequest(NamedTuple):
    """A request for a payment whose fields are well formed and fit together."""

    cart: CartRequest
    """What decides its price."""
    customer: Buyer
    """With an empty id for a new customer, and with nothing but the id for a known one."""
    options: PaymentOptions
    metadata: dict[str, Any]
    expires_on: datetime | None = None
    """As in `PaymentRequest`, and so are the next."""
    confirmed: bool = False
    always_new_customer: bool = False
    guessed_country: bool = False


def check_payment_request(mode: Mode, request: PaymentRequest) -> CheckedRequest:
    """Return the request in its checked form. Raises Problem for the first check that fails."""
    options = _options(request)
    metadata = checked_metadata(request.metadata)
    check_scenario(mode, metadata, failures.CODES)
    customer = _NOBODY if request.customer is None and request.draft else _customer(request.customer)
    matched = customer.email and not request.always_new_customer
    cart = cart_request(
        request.items,
        _address(request.billing),
        options,
        customer_id=customer.customer_id or None,
        email_key=email_key(customer.email) if matched else None,
        single_code=request.discount_codes is None,
        suggest_amounts=request.draft,
    )
    return CheckedRequest(
        cart,
        customer,
        options,
        metadata,
        request.expires_on,
        confirmed=request.confirmed,
        always_new_customer=request.always_new_customer,
        guessed_country=request.guessed_country,
    )


def _options(request: PaymentRequest) -> PaymentOptions:
    """Collect what later steps need, after the checks between fields."""
    codes = requested_codes(request.discount_code, request.discount_codes)
    payment_method_id = blank_to_none(request.payment_method_id)
    if payment_method_id is not None and not (request.customer and request.customer.customer_id):
        detail = "payment_method_id needs customer.customer_id: a saved method belongs to a customer"
        raise Problem("INVALID_REQUEST_PARAMETERS", detail=detail, path="payment_method_id")
    tax_id = blank_to_none(request.tax_id)
    business_name = blank_to_none(request.customer_business_name)
    if business_name is not None and tax_id is None:
        raise _invalid("customer_business_name", "It needs a tax_id.")
    return PaymentOptions(
        payment_link=request.payment_link,
        short_link=request.short_link,
        return_url=checked_return_url(request.return_url),
        redirect_immediately=request.redirect_immediately,
        require_phone_number=request.require_phone_number,
        show_saved_payment_methods=request.show_saved_payment_methods,
        force_3ds=request.force_3ds,
        allowed_payment_method_types=_unique(request.allowed_payment_method_types),
        payment_method_id=payment_method_id,
        billing_currency=request.billing_currency,
        adaptive_currency_fees_inclusive=request.fees_inclusive,
        discount_codes=codes,
        tax_id=tax_id,
        customer_business_name=business_name,
        checkout_session_id=request.checkout_session_id,
        custom_field_responses=request.custom_field_responses,
        locked=list(request.locked),
        minimal_address=request.minimal_address,
    )


def _invalid(path: str, detail: str) -> Problem:
    return Problem("INVALID_REQUEST_BODY", path=path, detail=detail)


def _unique(types: Sequence[str] | None) -> list[str] | None:
    return None if types is None else list(dict.fromkeys(types))


_NOBODY: Final = Buyer("", "", "", None, {})
"""The customer of a draft that knows none yet."""


def _customer(request: RequestedCustomer | None) -> Buyer:
    """Read the two shapes of `customer`; with both at once the id wins and the rest is ignored."""
    request = request or RequestedCustomer()
    if customer_id := blank_to_none(request.customer_id):
        return Buyer(customer_id, "", "", None, {})
    email = blank_to_none(request.email)
    if email is None:
        raise _invalid("customer", "Give customer_id for a known customer, or email for a new one.")
    return Buyer(
        "",
        checked_email(email, "customer.email"),
        tidy(request.name or ""),
        checked_phone(blank_to_none(request.phone_number), "customer.phone_number"),
        {},
    )


def _address(billing: Address) -> Address:
    return Address(
        billing.country,
        blank_to_none(billing.city),
        blank_to_none(billing.state),
        blank_to_none(billing.street),
        blank_to_none(billing.zipcode),
    )
