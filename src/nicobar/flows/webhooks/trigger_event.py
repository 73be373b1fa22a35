"""Let an event happen in test mode, by the way that leads to it in earnest: a payment, a refund, a dispute."""

from asyncio import sleep
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.product import NewProduct, OneTimePrice
from nicobar.core.customers.buyer import Address
from nicobar.core.events.event import Event, EventType
from nicobar.core.payments.payment import Succeeded
from nicobar.core.payments.payment_request import PaymentRequest, RequestedCustomer
from nicobar.core.pricing.cart import RequestedItem
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import NewRefund
from nicobar.core.simulator.bank_charge import dispute_reference
from nicobar.core.simulator.simulated_scenario import METADATA_KEY
from nicobar.flows.catalog.create_product import create_product
from nicobar.flows.disputes.ask_about_dispute import ask_about_dispute
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.create_payment import create_payment
from nicobar.flows.payments.end_link import end_link
from nicobar.flows.payments.expire_payments import expire_payments
from nicobar.flows.refunds.refund_payment import refund_payment
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.find_event import find_event
from nicobar.processors.base import CardInput
from nicobar.processors.simulator.simulator import Simulator
from nicobar.storage.catalog.products import list_products

PRODUCT_NAME: Final = "Test item of nicobar trigger"
"""What is sold. It is made once, and found by its name afterwards."""

PRICE: Final = OneTimePrice("USD", 1900)

_SCENARIOS: Final[dict[EventType, str | None]] = {
    "payment.succeeded": None,
    "payment.failed": "decline",
    "payment.processing": "late_success:60",
    "payment.cancelled": None,
    "refund.succeeded": None,
    "refund.failed": "refund_fail",
    "dispute.opened": "dispute_after:1",
    "dispute.expired": "dispute_after:1; verdict:expired:1",
    "dispute.accepted": "dispute_after:1; verdict:accepted:1",
    "dispute.cancelled": "dispute_after:1; verdict:cancelled:1",
    "dispute.challenged": "dispute_after:1; verdict:challenged:1",
    "dispute.won": "dispute_after:1; verdict:won:1",
    "dispute.lost": "dispute_after:1; verdict:lost:1",
}
"""What the simulator is told to do (`docs/simulator.md`)."""

TRIGGERED: Final = tuple(_SCENARIOS)
"""The types that can be triggered: those of payments, refunds and disputes."""

_SECONDS: Final = 1.05
"""A little longer than the simulator lets each step of a dispute wait."""

_LISTED: Final = 100
"""Products among which that of an earlier trigger is looked for."""


async def trigger_event(runtime: Runtime, tenant: Tenant, type: EventType) -> Event:
    """Make a payment of 19.00 dollars and all that follows until the event is told, and return it.

    The simulator charges it, whatever account the business has. What is told on the way (`payment.succeeded` before a
    refund) is told, too. Raises Problem UNSUPPORTED_ACTION for live mode and for a type that is not in `TRIGGERED`,
    and what the flows on the way raise, for example when the settings of the business do not let anybody pay.
    """
    if tenant.mode != "test":
        raise Problem("UNSUPPORTED_ACTION", detail="Events are triggered in test mode only")
    if type not in _SCENARIOS:
        raise Problem("UNSUPPORTED_ACTION", detail=f"{type} cannot be triggered; make a subscription instead")
    runtime = runtime._replace(accounts=None)
    scenario = _SCENARIOS[type]
    request = PaymentRequest(
        items=[RequestedItem(await _product(runtime, tenant), 1)],
        billing=Address("US", "New York", "NY", "350 Fifth Avenue", "10118"),
        customer=RequestedCustomer(email="trigger@example.com", name="Test Customer"),
        metadata={} if scenario is None else {METADATA_KEY: scenario},
        payment_link=True,
    )
    payment_id = (await create_payment(runtime, tenant, request)).payment.payment_id
    if type == "payment.cancelled":
        await end_link(runtime, tenant, payment_id)
        await expire_payments(runtime)
    else:
        await _pay(runtime, tenant, payment_id, type)
    return await find_event(runtime, tenant, payment_id, type)


async def _product(runtime: Runtime, tenant: Tenant) -> str:
    async with runtime.database.read() as read:
        listed = await list_products(
            read, tenant, archived=False, brand_id=None, recurring=False, limit=_LISTED, offset=0
        )
    for product in listed:
        if product.name == PRODUCT_NAME and product.price == PRICE:
            return product.product_id
    new = NewProduct(name=PRODUCT_NAME, price=PRICE, tax_category="digital_products")
    return (await create_product(runtime, tenant, new)).product_id


async def _pay(runtime: Runtime, tenant: Tenant, payment_id: str, type: EventType) -> None:
    """Charge the payment, and bring about what is to follow."""
    card = CardInput("4242424242424242", 12, runtime.now(tenant).year + 3, "123", "Test Customer")
    outcome = (await confirm_payment(runtime, tenant, payment_id, card)).outcome
    if type.startswith("refund."):
        await refund_payment(runtime, tenant, NewRefund(payment_id, reason="Triggered"))
    elif type.startswith("dispute.") and isinstance(outcome, Succeeded):
        reference = dispute_reference(outcome.reference)
        for _step in range(1 if type == "dispute.opened" else 2):
            await sleep(_SECONDS)
            await ask_about_dispute(runtime, tenant, Simulator.name, reference)
