"""Let an event about a subscription happen in test mode, by the way that leads to it in earnest."""

from asyncio import sleep
from typing import Final

from nicobar.core.business.tenant import Tenant
from nicobar.core.catalog.product import RecurringPrice
from nicobar.core.customers.buyer import Address
from nicobar.core.events.event import Event
from nicobar.core.payments.payment_request import PaymentRequest, RequestedCustomer
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.change_request import SubscriptionChange
from nicobar.core.subscriptions.plan_change_request import MethodUpdate, PlanChangeRequest
from nicobar.core.subscriptions.subscription import Subscription, SubscriptionEventType
from nicobar.core.subscriptions.subscription_request import CreatedSubscription, RequestedPlan, SubscriptionRequest
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.payments.confirm_payment import confirm_payment
from nicobar.flows.payments.end_link import end_link
from nicobar.flows.payments.expire_payments import expire_payments
from nicobar.flows.runtime import Runtime
from nicobar.flows.subscriptions.change_plan import change_plan
from nicobar.flows.subscriptions.create_subscription import create_subscription
from nicobar.flows.subscriptions.require_subscription import require_subscription
from nicobar.flows.subscriptions.update_payment_method import update_payment_method
from nicobar.flows.subscriptions.update_subscription import update_subscription
from nicobar.flows.subscriptions.work_on_subscription import work_on_subscription
from nicobar.flows.webhooks.make_test_product import make_test_product
from nicobar.processors.base import CardInput
from nicobar.storage.events.events import events_of

PLAN_NAME: Final = "Test plan of nicobar trigger"
PLAN_PRICE: Final = RecurringPrice(
    currency="USD",
    price=1900,
    payment_frequency_count=1,
    payment_frequency_interval="Month",
    subscription_period_count=20,
    subscription_period_interval="Year",
)

RENEWED_BY_FAILING: Final = frozenset({"subscription.on_hold", "subscription.past_due"})

_GOOD_CARD: Final = "4242424242424242"
_RENEWALS_FAIL: Final = "4000000000000341"

_A_MOMENT: Final = 0.01
"""Seconds after the start: two paid periods of a subscription cannot begin at the same instant."""

_WAITS: Final = 40
_WAIT_SECONDS: Final = 0.25
"""Another worker may be at the renewal; it is looked for so often, with so much time between."""


async def trigger_subscription(runtime: Runtime, tenant: Tenant, type: SubscriptionEventType) -> Event:
    """Start a subscription of 19.00 dollars a month, do what leads to the event, and return it.

    Raises Problem UNSUPPORTED_ACTION for what only time brings about with the settings of the business, before
    anything is done, and what the flows on the way raise.
    """
    await _check(runtime, tenant, type)
    product_id = await make_test_product(runtime, tenant, PLAN_NAME, PLAN_PRICE)
    request = SubscriptionRequest(
        payment=PaymentRequest(
            items=[],
            billing=Address("US", "New York", "NY", "350 Fifth Avenue", "10118"),
            customer=RequestedCustomer(email="trigger@example.com", name="Test Customer"),
            payment_link=True,
        ),
        plans=[RequestedPlan(product_id=product_id, quantity=1)],
    )
    created = await create_subscription(runtime, tenant, request)
    if type == "subscription.failed":
        await end_link(runtime, tenant, created.payment.payment_id)
        await expire_payments(runtime)
    else:
        await _begin(runtime, tenant, created, type)
    return await _told(runtime, tenant, created.subscription.subscription_id, type)


async def _check(runtime: Runtime, tenant: Tenant, type: SubscriptionEventType) -> None:
    """Refuse what needs more time than a trigger has."""
    grace = (await load_policy(runtime, tenant)).settings.grace_period_days
    detail = None
    if type == "subscription.expired":
        detail = "subscription.expired cannot be triggered: a term has to pass"
    elif type == "subscription.past_due" and not grace:
        detail = "subscription.past_due needs grace_period_days: without it a failed renewal leads to on_hold"
    elif type == "subscription.on_hold" and grace:
        detail = "subscription.on_hold cannot be triggered with grace_period_days: those days have to pass"
    if detail is not None:
        raise Problem("UNSUPPORTED_ACTION", detail=detail)


async def _begin(runtime: Runtime, tenant: Tenant, created: CreatedSubscription, type: SubscriptionEventType) -> None:
    """Pay the first payment, and bring about what is to follow."""
    number = _RENEWALS_FAIL if type in RENEWED_BY_FAILING else _GOOD_CARD
    card = CardInput(number, 12, runtime.now(tenant).year + 3, "123", "Test Customer")
    await confirm_payment(runtime, tenant, created.payment.payment_id, card)
    await sleep(_A_MOMENT)
    own = await require_subscription(runtime, tenant, created.subscription.subscription_id)
    change = SubscriptionChange
    match type:
        case "subscription.renewed" | "subscription.on_hold" | "subscription.past_due":
            await _change(runtime, own, change(next_billing_date=runtime.now(tenant)))
        case "subscription.paused" | "subscription.unpaused":
            await _change(runtime, own, change(status="paused"))
            if type == "subscription.unpaused":
                await _change(runtime, own, change(status="active"))
        case "subscription.cancelled":
            await _change(runtime, own, change(status="cancelled"))
        case "subscription.updated":
            await _change(runtime, own, change(metadata={"triggered": "yes"}))
        case "subscription.plan_changed":
            more = PlanChangeRequest(product_id=own.plan.product_id, quantity=2, mode="difference_immediately")
            await change_plan(runtime, tenant, own.subscription_id, more)
        case "subscription.update_payment_method":
            method = MethodUpdate(payment_method_id=own.payment_method_id)
            await update_payment_method(runtime, tenant, own.subscription_id, method)


async def _change(runtime: Runtime, subscription: Subscription, change: SubscriptionChange) -> None:
    await update_subscription(runtime, subscription.tenant, subscription.subscription_id, change)


async def _told(runtime: Runtime, tenant: Tenant, subscription_id: str, type: SubscriptionEventType) -> Event:
    """Return the event, after the renewal that it waits for. The first payment tells of one renewal itself."""
    wanted = 2 if type == "subscription.renewed" else 1
    renews = type == "subscription.renewed" or type in RENEWED_BY_FAILING
    for _ in range(_WAITS):
        if renews:
            await work_on_subscription(runtime, tenant, subscription_id)
        async with runtime.database.read() as read:
            events = await events_of(read, tenant, subscription_id)
        found = [event for event in events if event.type == type]
        if len(found) >= wanted:
            return found[-1]
        await sleep(_WAIT_SECONDS)
    told = ", ".join(dict.fromkeys(event.type for event in events)) or "nothing"
    raise Problem("UNSUPPORTED_ACTION", detail=f"No {type} was told about {subscription_id}. Told was: {told}.")
