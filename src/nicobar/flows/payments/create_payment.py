"""Create a one-time payment: one read of all facts, one write, no call to a processor unless a saved method pays."""

from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from nicobar.core.business.tenant import Tenant, secret_hash
from nicobar.core.customers.buyer import Address, Buyer
from nicobar.core.customers.customer import email_key
from nicobar.core.payments.payment import Payment, PaymentOptions, Succeeded
from nicobar.core.payments.repricing import priced_lines
from nicobar.core.pricing.cart import CartRequest, RequestedItem, cart_request
from nicobar.core.problems import Problem
from nicobar.core.simulator.simulated_scenario import METADATA_KEY, read_scenario
from nicobar.flows.payments.charge_saved_method import charge_saved_method
from nicobar.flows.payments.record_outcome import record_outcome
from nicobar.flows.pricing.price_cart import PricedCart, price_cart
from nicobar.flows.pricing.require_method import require_method
from nicobar.flows.reserve_codes import reserve_codes
from nicobar.flows.runtime import Runtime
from nicobar.reference import failures
from nicobar.storage.database import Tx
from nicobar.storage.payments.payments import NewCustomer, insert_payment
from nicobar.wire.codes import PaymentMethodType
from nicobar.wire.common import BillingAddress, blank_to_none, checked_metadata
from nicobar.wire.customers.customers import checked_email, checked_phone
from nicobar.wire.payments.payments import (
    CustomerRequest,
    PaymentCreate,
    PaymentCreated,
    render_created,
    requested_codes,
)

_UNSAFE_SCHEMES: Final = frozenset({"javascript", "data", "vbscript", "file", "blob", "about"})
"""Schemes that would run in, or read from, the customer's browser instead of leading back to the merchant."""


async def create_payment(runtime: Runtime, tenant: Tenant, body: PaymentCreate) -> PaymentCreated:
    """Price the cart, store the payment and, if it is new, the customer; return the contract's answer.

    Raises Problem for the first check that fails, in the contract's order; nothing is stored then.
    """
    options = _options(body)
    metadata = checked_metadata(body.metadata)
    if tenant.mode == "test" and METADATA_KEY in metadata:
        read_scenario(metadata[METADATA_KEY], failures.CODES)  # what is misspelt would look like a test that passed
    given = _customer(body.customer)
    request = cart_request(
        [RequestedItem(item.product_id, item.quantity, item.amount) for item in body.product_cart],
        _address(body.billing),
        options,
        customer_id=given.customer_id or None,
        email_key=email_key(given.email),
        single_code=body.discount_codes is None,
    )
    priced = await price_cart(runtime, tenant, request)
    require_method(runtime, tenant, priced, request.billing.country, options.allowed_payment_method_types)
    known = priced.customer
    phone_number = given.phone_number or (known and known.phone_number)
    if options.require_phone_number and not options.payment_link and not phone_number:
        raise _invalid("customer.phone_number", "phone_number is required.")
    payment = _payment(runtime, tenant, priced, given, options, request, metadata)
    secret = f"{payment.payment_id}_secret_{runtime.new_secret()}"
    buyer = await _store(runtime, payment, secret, priced, _customer_to_store(payment.customer, known, given))
    link = None if payment.link_id is None else runtime.link_url(payment.link_id)
    discount_ids = [code.discount_id for code in priced.quote.inputs.codes]
    return render_created(msgspec.structs.replace(payment, customer=buyer), secret, link, discount_ids)


async def _store(
    runtime: Runtime, payment: Payment, secret: str, priced: PricedCart, customer: NewCustomer | None
) -> Buyer:
    """Write everything at once and return the payment's customer. Without codes that is a single statement.

    Nobody will visit a page for a free payment without a link, so it succeeds in the commit that makes it. A saved
    method is charged at once, and its attempt is in that commit.
    """
    quote, tenant, at = priced.quote, payment.tenant, payment.created_at

    async def write(tx: Tx) -> Buyer:
        buyer = await insert_payment(tx, payment, secret_hash(secret), quote.inputs, customer)
        uses, until = quote.code_uses, payment.expires_on
        await reserve_codes(tx, tenant, payment.payment_id, buyer.customer_id, uses, until, at)
        return buyer

    if payment.options.payment_method_id is not None:
        await charge_saved_method(runtime, payment, payment.options.payment_method_id, write)
        return payment.customer
    free = quote.total == 0 and payment.link_id is None
    if not free and not quote.inputs.codes:
        async with runtime.database.statement() as tx:
            return await write(tx)
    async with runtime.database.transaction() as tx:
        buyer = await write(tx)
        if free:
            await record_outcome(
                runtime, tx, msgspec.structs.replace(payment, customer=buyer), None, Succeeded("free"), at
            )
    return buyer


def _options(body: PaymentCreate) -> PaymentOptions:
    """Collect what later steps need, after the checks between fields."""
    codes = requested_codes(body.discount_code, body.discount_codes)
    payment_method_id = blank_to_none(body.payment_method_id)
    if payment_method_id is not None and not body.customer.customer_id:
        detail = "payment_method_id needs customer.customer_id: a saved method belongs to a customer"
        raise Problem("INVALID_REQUEST_PARAMETERS", detail=detail, path="payment_method_id")
    tax_id = blank_to_none(body.tax_id)
    business_name = blank_to_none(body.customer_business_name)
    if business_name is not None and tax_id is None:
        raise _invalid("customer_business_name", "It needs a tax_id.")
    return PaymentOptions(
        payment_link=bool(body.payment_link),
        short_link=bool(body.short_link),
        return_url=_return_url(blank_to_none(body.return_url)),
        redirect_immediately=bool(body.redirect_immediately),
        require_phone_number=bool(body.require_phone_number),
        show_saved_payment_methods=bool(body.show_saved_payment_methods),
        force_3ds=body.force_3ds,
        allowed_payment_method_types=_unique(body.allowed_payment_method_types),
        payment_method_id=payment_method_id,
        billing_currency=body.billing_currency,
        adaptive_currency_fees_inclusive=body.adaptive_currency_fees_inclusive,
        discount_codes=codes,
        tax_id=tax_id,
        customer_business_name=business_name,
    )


def _invalid(path: str, detail: str) -> Problem:
    return Problem("INVALID_REQUEST_BODY", path=path, detail=detail)


def _unique(types: list[PaymentMethodType] | None) -> list[str] | None:
    return None if types is None else list(dict.fromkeys(types))


def _return_url(url: str | None) -> str | None:
    """Check the address that customers are sent to; apps may use a scheme of their own (`myapp://paid`)."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError as error:
        raise _invalid("return_url", f"It is not a valid URL: {error}.") from error
    scheme = parts.scheme.lower()
    if not scheme or scheme in _UNSAFE_SCHEMES or not (parts.netloc or parts.path):
        raise _invalid("return_url", "It must be a full URL, such as https://example.com/thanks.")
    if scheme in ("http", "https") and not parts.hostname:
        raise _invalid("return_url", "It names no host.")
    if any(character <= " " or character == "\x7f" for character in url):
        raise _invalid("return_url", "It holds a blank or a control character; encode it as %20 and the like.")
    return url


def _customer(request: CustomerRequest) -> Buyer:
    """Read the two shapes of `customer`; with both at once the id wins and the rest is ignored."""
    if customer_id := blank_to_none(request.customer_id):
        return Buyer(customer_id, "", "", None, {})
    email = blank_to_none(request.email)
    if email is None:
        raise _invalid("customer", "Give customer_id for a known customer, or email for a new one.")
    return Buyer(
        "",
        checked_email(email, "customer.email"),
        blank_to_none(request.name) or "",
        checked_phone(blank_to_none(request.phone_number), "customer.phone_number"),
        {},
    )


def _address(billing: BillingAddress) -> Address:
    return Address(
        billing.country,
        blank_to_none(billing.city),
        blank_to_none(billing.state),
        blank_to_none(billing.street),
        blank_to_none(billing.zipcode),
    )


def _payment(
    runtime: Runtime,
    tenant: Tenant,
    priced: PricedCart,
    given: Buyer,
    options: PaymentOptions,
    request: CartRequest,
    metadata: dict[str, Any],
) -> Payment:
    """Put the row together: its id, its moments, its link."""
    moment = runtime.clock.now()
    quote = priced.quote
    buyer = priced.customer or msgspec.structs.replace(given, customer_id=runtime.new_id("cus", moment))
    return Payment(
        business_id=tenant.business_id,
        mode=tenant.mode,
        payment_id=runtime.new_id("pay", moment),
        brand_id=priced.brand_id,
        customer=buyer,
        status="requires_payment_method",
        currency=quote.currency,
        subtotal=quote.subtotal,
        discount=quote.discount,
        tax=quote.tax,
        total_amount=quote.total,
        settlement_currency=quote.settlement_currency,
        settlement_amount=quote.settlement_amount,
        settlement_tax=quote.settlement_tax,
        billing=request.billing,
        metadata=metadata,
        options=msgspec.structs.replace(
            options,
            tax_id=None if priced.tax_id is None else priced.tax_id.number,
            tax_id_register=None if priced.tax_id is None else priced.tax_id.register,
        ),
        link_id=runtime.new_link_id() if options.payment_link and options.payment_method_id is None else None,
        expires_on=moment + timedelta(minutes=priced.policy.settings.link_ttl_minutes),
        payment_method=None,
        payment_method_type=None,
        card=None,
        error_code=None,
        error_message=None,
        created_at=moment,
        updated_at=None,
        lines=priced_lines(quote, request.items, priced.facts.products),
    )


def _customer_to_store(buyer: Buyer, known: Buyer | None, given: Buyer) -> NewCustomer | None:
    """Return the customer to write with the payment: a new one, or a known one that can be completed."""
    completes = known is not None and (
        (given.name and not known.name) or (given.phone_number and not known.phone_number)
    )
    if known is not None and not completes:
        return None
    email = known.email if known is not None else given.email
    return NewCustomer(buyer.customer_id, email, email_key(email), given.name, given.phone_number)
