"""Decide what the creation of a payment writes. No I/O: facts, ids and the moment are arguments.

So many creations can be decided one after the other and written together.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.customers.buyer import Buyer
from nicobar.core.customers.customer import CustomerUpsert, email_key
from nicobar.core.payments.payment import Payment
from nicobar.core.payments.repricing import priced_lines
from nicobar.core.pricing.pricing import Quote
from nicobar.core.pricing.pricing_facts import PricedCart, PricingFacts
from nicobar.core.problems import Problem
from nicobar.core.tax.tax_place import REGION_MISSING
from nicobar.flows.payments.check_payment_request import CheckedRequest
from nicobar.flows.pricing.quote_cart import quote_cart
from nicobar.flows.pricing.require_method import require_method


class PaymentIds(NamedTuple):
    """Fresh ids for what a creation may have to write."""

    payment_id: str
    customer_id: str
    """For a customer who is new."""
    link_id: str
    """For a payment with a link."""


NO_IDS: Final = PaymentIds("", "", "")
"""For a payment that is only looked at."""


class DecidedCreation(NamedTuple):
    """What the creation of a payment writes."""

    payment: Payment
    quote: Quote
    customer: CustomerUpsert | None
    """A customer to make or to complete; None for a known one about whom the request says nothing new."""
    succeeds_at_once: bool
    """Whether the payment is free, and nobody has to visit a page for it."""


def decide_creation(
    tenant: Tenant,
    request: CheckedRequest,
    facts: PricingFacts,
    runnable: frozenset[str],
    ids: PaymentIds,
    at: datetime,
) -> DecidedCreation:
    """Price the cart and put the payment together as it is at `at`.

    `runnable` are the method types that the processor runs, as `require_method` takes them. Raises Problem for the
    first rung of the ladder that fails: those of `quote_cart`, `require_method`, then a region that decides the tax
    and is missing with nobody to ask for it, and a phone number that is required and missing,
    or the name of a new customer whom no page asks for it.
    """
    options, given = request.options, request.customer
    priced = quote_cart(request.cart, facts, at)
    country, allowed = request.cart.billing.country, options.allowed_payment_method_types
    require_method(priced, country, allowed, runnable, guessed_country=request.guessed_country)
    if options.payment_method_id is not None and priced.tax_is_open and priced.quote.total:
        raise Problem("INVALID_REQUEST_BODY", path="billing.zipcode", detail=REGION_MISSING)
    known = priced.customer
    phone_number = given.phone_number or (known and known.phone_number)
    page_asks = options.payment_link and not request.confirmed
    if options.require_phone_number and not page_asks and not phone_number:
        raise Problem("INVALID_REQUEST_BODY", path="customer.phone_number", detail="phone_number is required.")
    if request.confirmed and not given.customer_id and not (given.name or (known and known.name)):
        detail = "With confirm: true a new customer needs a name."
        raise Problem("INVALID_REQUEST_BODY", path="customer.name", detail=detail)
    payment = _payment(tenant, request, priced, ids, at)
    at_once = priced.quote.total == 0 and (payment.link_id is None or request.confirmed)
    customer = _customer_to_store(ids.customer_id, known, given, always_new=request.always_new_customer)
    return DecidedCreation(payment, priced.quote, customer, at_once)


def _payment(tenant: Tenant, request: CheckedRequest, priced: PricedCart, ids: PaymentIds, at: datetime) -> Payment:
    quote, options = priced.quote, request.options
    buyer = priced.customer or msgspec.structs.replace(request.customer, customer_id=ids.customer_id)
    return Payment(
        business_id=tenant.business_id,
        mode=tenant.mode,
        payment_id=ids.payment_id,
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
        billing=request.cart.billing,
        metadata=request.metadata,
        options=msgspec.structs.replace(
            options,
            tax_id=None if priced.tax_id is None else priced.tax_id.number,
            tax_id_register=None if priced.tax_id is None else priced.tax_id.register,
        ),
        link_id=ids.link_id if options.payment_link and options.payment_method_id is None else None,
        expires_on=request.expires_on or at + timedelta(minutes=priced.policy.settings.link_ttl_minutes),
        payment_method=None,
        payment_method_type=None,
        card=None,
        error_code=None,
        error_message=None,
        created_at=at,
        updated_at=None,
        lines=priced_lines(quote, request.cart.items, priced.facts.products),
    )


def _customer_to_store(new_id: str, known: Buyer | None, given: Buyer, *, always_new: bool) -> CustomerUpsert | None:
    """Return the customer to write with the payment: a new one, or a known one that can be completed.

    Whoever is completed is found by the address, and may have left it by then: that makes a new one, too.
    """
    completes = known is not None and (
        (given.name and not known.name) or (given.phone_number and not known.phone_number)
    )
    if known is not None and not completes:
        return None
    email = known.email if known is not None else given.email
    return CustomerUpsert(new_id, email, email_key(email), given.name, given.phone_number, always_new)
