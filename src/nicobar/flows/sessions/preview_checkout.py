"""Compute what a cart would cost: the pricing of a creation without the creation."""

from typing import Final, NamedTuple

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.buyer import Address
from nicobar.core.customers.customer import email_key
from nicobar.core.discounts.discounts import requested_codes
from nicobar.core.fields import blank_to_none
from nicobar.core.payments.payment import PaymentOptions
from nicobar.core.payments.payment_request import PreviewRequest, RequestedCustomer, cart_request
from nicobar.core.pricing.cart import CartRequest
from nicobar.core.pricing.pricing_facts import PricedCart
from nicobar.core.problems import Problem
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.pricing.find_runnable_methods import find_runnable_methods
from nicobar.flows.pricing.price_cart import price_cart
from nicobar.flows.pricing.require_method import require_method
from nicobar.flows.runtime import Runtime
from nicobar.reference.contacts import checked_email, checked_phone

_DEFAULT_COUNTRY: Final = "US"
"""The billing country of a preview that names none, when the seller's is not known either."""

_NO_COUNTRY: Final = "Give billing_address.country, too: a tax id belongs to a country."


class PreviewedCart(NamedTuple):
    """What a cart would cost."""

    priced: PricedCart
    country: str
    """ISO 3166-1 code of the billing country that it was priced for."""
    tax_id_error: str | None
    """Why the cart was priced without the tax id of the request."""


async def preview_checkout(runtime: Runtime, tenant: Tenant, wanted: PreviewRequest) -> PreviewedCart:
    """Price the cart as a creation would.

    A tax id that fails its check, or comes without the country of its address, is reported in `tax_id_error`, and
    the cart is priced without it. A pay-what-you-want line without an amount is priced at what the product suggests.
    Raises Problem for the first check that fails.
    """
    request = _request(wanted, (await load_policy(runtime, tenant)).settings.seller_country or _DEFAULT_COUNTRY)
    tax_id_error = None
    if request.tax_id is not None and wanted.billing is None:
        tax_id_error, request = _NO_COUNTRY, msgspec.structs.replace(request, tax_id=None)
    try:
        priced = await price_cart(runtime, tenant, request)
    except Problem as problem:
        if problem.code != "INVALID_TAX_ID":
            raise
        tax_id_error = problem.message
        priced = await price_cart(runtime, tenant, msgspec.structs.replace(request, tax_id=None))
    runnable = find_runnable_methods(runtime, priced.policy, tenant.mode)
    require_method(priced, request.billing.country, wanted.allowed_payment_method_types, runnable)
    return PreviewedCart(priced, request.billing.country, tax_id_error)


def _request(wanted: PreviewRequest, default_country: str) -> CartRequest:
    customer_id, email = _customer(wanted.customer)
    options = PaymentOptions(
        billing_currency=wanted.billing_currency,
        adaptive_currency_fees_inclusive=wanted.fees_inclusive,
        tax_id=blank_to_none(wanted.tax_id),
        discount_codes=requested_codes(wanted.discount_code, wanted.discount_codes),
    )
    return cart_request(
        wanted.items,
        Address(default_country) if wanted.billing is None else _place(wanted.billing),
        options,
        customer_id=customer_id,
        email_key=None if email is None else email_key(email),
        single_code=wanted.discount_codes is None,
        suggest_amounts=True,
    )


def _place(billing: Address) -> Address:
    """Return what of an address can decide a price."""
    return Address(
        billing.country,
        city=blank_to_none(billing.city),
        state=blank_to_none(billing.state),
        zipcode=blank_to_none(billing.zipcode),
    )


def _customer(request: RequestedCustomer | None) -> tuple[str | None, str | None]:
    """Return the customer's id or e-mail address, read as a creation reads them; a preview may have neither.

    Raises Problem INVALID_REQUEST_BODY.
    """
    if request is None:
        return None, None
    if customer_id := blank_to_none(request.customer_id):
        return customer_id, None
    email = blank_to_none(request.email)
    if email is not None:
        email = checked_email(email, "customer.email")
    checked_phone(request.phone_number, "customer.phone_number")
    return None, email
