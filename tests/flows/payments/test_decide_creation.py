"""The creation of a payment is decided from facts alone: no database, no clock, no randomness."""

import msgspec
import pytest

from harness import START
from nicobar.core.business.business_settings import settings_from
from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.product import OneTimePrice
from nicobar.core.customers.buyer import Address, Buyer
from nicobar.core.customers.customer import CustomerUpsert
from nicobar.core.money.rate_feed import rates_in_force
from nicobar.core.payments.payment_request import PaymentRequest, RequestedCustomer
from nicobar.core.pricing.cart import CartFacts, RequestedItem, SellableProduct
from nicobar.core.pricing.policy import Policy
from nicobar.core.pricing.pricing_facts import PricingFacts
from nicobar.core.problems import Problem
from nicobar.flows.payments.check_payment_request import check_payment_request
from nicobar.flows.payments.decide_creation import DecidedCreation, PaymentIds, decide_creation
from nicobar.reference.codes import codes
from nicobar.reference.rate_seed import seed
from nicobar.reference.shipped_tax import shipped_sheet

TENANT = Tenant("bus_1", "test")
IDS = PaymentIds("pay_1", "cus_new", "linklink")
CARDS = frozenset({"credit", "debit"})
REQUEST = PaymentRequest(
    items=[RequestedItem("pdt_1", 2)],
    billing=Address("US", city=" "),
    customer=RequestedCustomer(email=" Ana@Example.com ", name="Ana"),
)


def facts(customer: Buyer | None = None) -> PricingFacts:
    rates = rates_in_force(seed(), {})
    policy = Policy(settings_from({}, codes()), shipped_sheet().table(), rates, ())
    price = OneTimePrice("USD", 1900)
    guide = SellableProduct("pdt_1", "bus_1", "Guide", None, "e_book", price, None, False, True)
    return PricingFacts(policy, CartFacts(customer, {"pdt_1": guide}), {}, {})


def decide(request: PaymentRequest = REQUEST, customer: Buyer | None = None) -> DecidedCreation:
    return decide_creation(TENANT, check_payment_request("test", request), facts(customer), CARDS, IDS, START)


def test_a_new_customer_is_written_with_the_payment() -> None:
    decided = decide()
    payment = decided.payment
    assert (payment.payment_id, payment.business_id, payment.mode, payment.brand_id) == (
        "pay_1",
        "bus_1",
        "test",
        "bus_1",
    )
    assert (payment.status, payment.total_amount, payment.currency) == ("requires_payment_method", 3800, "USD")
    assert (payment.created_at, payment.link_id, payment.billing) == (START, None, Address("US"))
    assert [(line.product_id, line.quantity, line.total) for line in payment.lines] == [("pdt_1", 2, 3800)]
    assert decided.quote.total == 3800
    assert decided.customer == CustomerUpsert("cus_new", "Ana@Example.com", "ana@example.com", "Ana", None)
    assert not decided.succeeds_at_once
    assert decide() == decided


def test_a_known_customer_is_only_completed() -> None:
    known = Buyer("cus_1", "ana@example.com", "Ana", None, {})
    assert decide(customer=known).customer is None
    assert decide(customer=known).payment.customer == known
    with_phone = msgspec.structs.replace(REQUEST, customer=RequestedCustomer(email="a@example.com", phone_number="555"))
    completed = decide(with_phone, known)
    assert completed.payment.customer == known
    # With the id that is for somebody new: Ana may have left the address by then.
    assert completed.customer == CustomerUpsert("cus_new", "ana@example.com", "ana@example.com", "", "555")


def test_a_link_has_the_id_that_was_given() -> None:
    assert decide(msgspec.structs.replace(REQUEST, payment_link=True)).payment.link_id == "linklink"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"items": []}, "PRODUCT_CART_EMTPY"),
        ({"items": [RequestedItem("pdt_2", 1)]}, "NOT_FOUND"),
        ({"customer": RequestedCustomer(customer_id="cus_9")}, "NOT_FOUND"),
        ({"allowed_payment_method_types": []}, "NO_ELIGIBLE_PAYMENT_METHODS"),
        ({"require_phone_number": True}, "INVALID_REQUEST_BODY"),
        ({"return_url": "javascript:alert(1)"}, "INVALID_REQUEST_BODY"),
    ],
)
def test_refusals(changes: dict[str, object], code: str) -> None:
    with pytest.raises(Problem) as refused:
        decide(msgspec.structs.replace(REQUEST, **changes))
    assert refused.value.code == code
