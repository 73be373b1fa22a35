"""Let an event happen in test mode, by the way that leads to it in earnest."""

from asyncio import sleep
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.product import OneTimePrice
from nicobar.core.customers.buyer import Address
from nicobar.core.events.event import EVENT_TYPES, Event, EventType
from nicobar.core.payments.payment import Succeeded
from nicobar.core.payments.payment_request import PaymentRequest, RequestedCustomer
from nicobar.core.pricing.cart import RequestedItem
from nicobar.core.problems import Problem
from nicobar.core.refunds.refund import NewRefund
from nicobar.core.simulator.bank_charge import dispute_reference
from nicobar.core.simulator.simulated_scenario import METADATA_KEY
from nicobar.core.subscriptions.subscription import is_about_subscription
from nicobar.flows.disputes.ask_about_dispute import ask_about_dispute
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.create_payment import create_payment
from nicobar.flows.payments.end_link import end_link
from nicobar.flows.payments.expire_payments import expire_payments
from nicobar.flows.refunds.refund_payment import refund_payment
from nicobar.flows.runtime import Runtime
from nicobar.flows.webhooks.find_event import find_event
from nicobar.flows.webhooks.make_test_product import make_test_product
from nicobar.flows.webhooks.trigger_subscription import trigger_subscription
from nicobar.processors.base import CardInput
from nicobar.processors.simulator.simulator import Simulator

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

_BY_TIME: Final = frozenset({"subscription.expired", "subscription.past_due"})

TRIGGERED: Final = tuple(type for type in EVENT_TYPES if type not in _BY_TIME)
"""The types that can be triggered, whatever the settings are; a past-due subscription needs days of grace."""

_SECONDS: Final = 1.05
"""A little longer than the simulator lets each step of a dispute wait."""


async def trigger_event(runtime: Runtime, tenant: Tenant, type: EventType) -> Event:
    """Make a payment or a subscription of 19.00 dollars and all that follows until the event is told, and return it.

    The simulator charges it, whatever account the business has. What is told on the way (`payment.succeeded` before a
    refund) is told, too. Raises Problem UNSUPPORTED_ACTION for live mode and as `trigger_subscription` does,
    and what the flows on the way raise, for example when the settings of the business do not let anybody pay.
    """
    if tenant.mode != "test":
        raise Problem("UNSUPPORTED_ACTION", detail="Events are triggered in test mode only")
    runtime = runtime._replace(accounts=None)
    if is_about_subscription(type):
        return await trigger_subscription(runtime, tenant, type)
    scenario = _SCENARIOS[type]
    request = PaymentRequest(
        items=[RequestedItem(await make_test_product(runtime, tenant, PRODUCT_NAME, PRICE), 1)],
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
            await ask_about_dispute(runtime, tenant, Simulator.name, Simulator.account, reference)
