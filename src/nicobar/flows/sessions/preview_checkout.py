"""Say what a cart would cost: the pricing of a creation without the creation."""

from typing import Final

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.buyer import Address
from nicobar.core.customers.customer import email_key
from nicobar.core.payments.payment import PaymentOptions
from nicobar.core.pricing.cart import CartRequest, RequestedItem, cart_request
from nicobar.core.problems import Problem
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.pricing.price_cart import PricedCart, price_cart
from nicobar.flows.pricing.require_method import require_method
from nicobar.flows.runtime import Runtime
from nicobar.reference import countries
from nicobar.wire.common import blank_to_none
from nicobar.wire.customers.customers import checked_email, checked_phone
from nicobar.wire.payments.payments import CustomerRequest, requested_codes
from nicobar.wire.sessions.checkouts import (
    Breakup,
    CheckoutPreview,
    CheckoutPreviewRequest,
    PreviewedProduct,
    render_previewed_item,
)

_DEFAULT_COUNTRY: Final = "US"
"""The billing country of a preview that names none, when the seller's is not known either."""

_NO_COUNTRY: Final = "Give billing_address.country, too: a tax id belongs to a country."


async def preview_checkout(runtime: Runtime, tenant: Tenant, body: CheckoutPreviewRequest) -> CheckoutPreview:
    """Price the cart as a creation would, and return the contract's answer.

    A tax id that fails its check, or comes without the country of its address, is reported in `tax_id_err_msg`, and
    the cart is priced without it. A pay-what-you-want line without an amount is priced at what the product suggests.
    Raises Problem for the first check that fails.
    """
    request = _request(body, (await load_policy(runtime, tenant)).settings.seller_country or _DEFAULT_COUNTRY)
    tax_id_error = None
    if request.tax_id is not None and body.billing_address is None:
        tax_id_error, request = _NO_COUNTRY, msgspec.structs.replace(request, tax_id=None)
    try:
        priced = await price_cart(runtime, tenant, request)
    except Problem as problem:
        if problem.code != "INVALID_TAX_ID":
            raise
        tax_id_error = problem.message
        priced = await price_cart(runtime, tenant, msgspec.structs.replace(request, tax_id=None))
    require_method(runtime, tenant, priced, request.billing.country, body.allowed_payment_method_types)
    return _render(priced, request, tax_id_error)


def _request(body: CheckoutPreviewRequest, default_country: str) -> CartRequest:
    customer_id, email = _customer(body.customer)
    address = body.billing_address
    options = PaymentOptions(
        billing_currency=body.billing_currency,
        adaptive_currency_fees_inclusive=body.adaptive_currency_fees_inclusive,
        tax_id=blank_to_none(body.tax_id),
        discount_codes=requested_codes(body.discount_code, body.discount_codes),
    )
    return cart_request(
        [RequestedItem(item.product_id, item.quantity, item.amount) for item in body.product_cart],
        Address(default_country) if address is None else Address(address.country, state=blank_to_none(address.state)),
        options,
        customer_id=customer_id,
        email_key=None if email is None else email_key(email),
        single_code=body.discount_codes is None,
        suggest_amounts=True,
    )


def _customer(request: CustomerRequest | None) -> tuple[str | None, str | None]:
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


def _render(priced: PricedCart, request: CartRequest, tax_id_error: str | None) -> CheckoutPreview:
    quote, country = priced.quote, countries.get(request.billing.country)
    items = []
    for item, line, amounts in zip(request.items, quote.inputs.lines, quote.lines, strict=True):
        product = priced.facts.products[item.product_id]
        shown = PreviewedProduct(
            name=product.name,
            description=product.description,
            tax_category=product.tax_category,
            currency=line.currency,
            list_price=line.unit_price,
        )
        items.append(render_previewed_item(shown, line, amounts, quote))
    return CheckoutPreview(
        billing_country=country.alpha2,
        currency=quote.currency,
        current_breakup=Breakup(
            subtotal=quote.subtotal, discount=quote.discount, tax=quote.tax, total_amount=quote.total
        ),
        is_byop=False,
        payment_method_required=True,
        product_cart=items,
        total_price=quote.total,
        total_tax=quote.tax,
        next_billing_date=None,
        recurring_breakup=None,
        subscriptions=None,
        tax_id_business_name=_registered_name(priced),
        tax_id_err_msg=tax_id_error,
        tax_id_format_name=None if priced.tax_id is None else country.tax_id_name,
        trial_amount=None,
        trial_period_days=None,
    )


def _registered_name(priced: PricedCart) -> str | None:
    register = None if priced.tax_id is None else priced.tax_id.register
    return None if register is None else register.name or None
