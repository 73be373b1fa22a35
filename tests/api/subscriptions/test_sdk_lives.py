"""Every call on subscriptions, add-ons and the portal that the official SDK has, answered as its own types demand."""

import re
from typing import Any

import pytest
from dodopayments import AsyncDodoPayments

from api.subscriptions.subscribing import Club
from house.sdk_calls import sdk_calls

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def wanted() -> set[str]:
    """Return the requests of the SDK about subscriptions that are served here."""
    about = re.compile(r"/subscriptions|/addons|customer-portal|/payments/\{payment_id\}/retry")
    return {call.request for call in sdk_calls() if call.is_served and about.search(call.request)}


async def test_every_call_is_answered_as_the_sdk_demands(club: Club, sdk: AsyncDodoPayments) -> None:
    called = _recorded(sdk)
    addon = await sdk.addons.create(name="Seat", price=500, currency="USD", tax_category="saas")
    await sdk.addons.retrieve(addon.id)
    await sdk.addons.update(addon.id, name="Seats")
    await sdk.addons.update_images(addon.id)
    await sdk.addons.delete(addon.id)
    await sdk.addons.unarchive(addon.id)
    assert [each.id async for each in sdk.addons.list()] == [addon.id]

    product_id = await club.product()
    own = await club.subscribe(product_id, "4000000000000341")
    subscription_id, customer_id = own["subscription_id"], own["customer"]["customer_id"]
    read = await sdk.subscriptions.retrieve(subscription_id)
    assert (read.status, read.payment_method_id) == ("active", own["payment_method_id"])
    again = await sdk.subscriptions.create(
        billing={"country": "US"},
        customer={"customer_id": customer_id},
        product_id=product_id,
        quantity=1,
        on_demand={"mandate_only": True},
        payment_link=True,
    )
    await club.pay({"payment_link": again.payment_link})
    charged = await sdk.subscriptions.charge(again.subscription_id, product_price=700)
    assert (await sdk.payments.retrieve(charged.payment_id)).total_amount == 700
    listed = sdk.subscriptions.list(customer_id=customer_id)
    assert {each.subscription_id async for each in listed} == {subscription_id, again.subscription_id}

    plan: Any = {"product_id": product_id, "quantity": 2, "proration_billing_mode": "do_not_bill"}
    assert (await sdk.subscriptions.preview_change_plan(subscription_id, **plan)).new_plan.quantity == 2
    await sdk.subscriptions.change_plan(subscription_id, **plan)
    later = {"proration_billing_mode": "full_immediately", "effective_at": "next_billing_date"}
    await sdk.subscriptions.change_plan(subscription_id, **(plan | later))
    await sdk.subscriptions.cancel_change_plan(subscription_id)
    assert (await sdk.subscriptions.retrieve_usage_history(subscription_id)).items == []
    assert (await sdk.subscriptions.retrieve_credit_usage(subscription_id)).items == []

    await club.work(days=31)
    failed = next(each for each in await club.payments(subscription_id) if each["status"] == "failed")
    assert (await sdk.payments.retrieve_retry_state(failed["payment_id"])).can_retry
    retried = await sdk.payments.retry(failed["payment_id"])
    assert (await sdk.payments.retrieve(retried.payment_id)).status == "failed"
    good = (await sdk.subscriptions.retrieve(again.subscription_id)).payment_method_id
    assert good is not None
    new = await sdk.subscriptions.update_payment_method(subscription_id, payment_method={"type": "new"})
    assert new.payment_link is not None
    await club.pay({"payment_link": new.payment_link})
    assert (await sdk.subscriptions.retrieve(subscription_id)).status == "active"
    existing: Any = {"type": "existing", "payment_method_id": good}
    assert (await sdk.subscriptions.update_payment_method(subscription_id, payment_method=existing)).payment_id is None
    assert (await sdk.subscriptions.retrieve(subscription_id)).payment_method_id == good

    portal = await sdk.customers.customer_portal.create(customer_id)
    assert "/portal/" in portal.link
    ended = await sdk.subscriptions.update(subscription_id, status="cancelled")
    assert ended.status == "cancelled"
    assert {request for request in wanted() if not any(_fits(request, each) for each in called)} == set()


def _recorded(sdk: AsyncDodoPayments) -> list[str]:
    """Return a list that fills with the requests of the client."""
    called: list[str] = []

    async def note(request: Any) -> None:
        called.append(f"{request.method} {request.url.path}")

    sdk._client.event_hooks["request"].append(note)
    return called


def _fits(pattern: str, request: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), request) is not None


def test_the_calls_are_those_of_the_contract() -> None:
    assert len(wanted()) == 11 + 7 + 2 + 1, "subscriptions, add-ons, retries and the portal"
