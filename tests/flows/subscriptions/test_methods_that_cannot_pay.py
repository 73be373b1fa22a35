"""A saved card that cannot pay in the subscription's currency is refused at once, not at the first renewal."""

from typing import Any

import pytest

from api.subscriptions.subscribing import RENEWALS_FAIL, Club
from orders import dump

RUPAY = "6074825972083818"
"""Of a network whose cards pay in rupees alone."""


async def rupay_of(club: Club) -> tuple[str, str]:
    """Return a customer with a subscription in rupees, and the card that pays for it."""
    rupees = await club.product(currency="INR", price=50_000)
    own = await club.subscribe(rupees, RUPAY, billing={"country": "IN"})
    return own["customer"]["customer_id"], own["payment_method_id"]


async def refused(club: Club, path: str, body: dict[str, Any]) -> None:
    before = await dump(club.runtime)
    told = await club.call("POST", path, body, 422)
    assert (told["code"], told["message"].split(":")[0]) == ("NO_ELIGIBLE_PAYMENT_METHODS", "payment_method_id")
    assert await dump(club.runtime) == before


@pytest.mark.parametrize("state", ["active", "paused", "on_hold"])
async def test_it_takes_no_others_place(club: Club, state: str) -> None:
    customer_id, rupay = await rupay_of(club)
    number = RENEWALS_FAIL if state == "on_hold" else "4242424242424242"
    own = await club.subscribe(number=number, customer={"customer_id": customer_id})
    path = f"/subscriptions/{own['subscription_id']}"
    if state == "paused":
        await club.call("PATCH", path, {"status": "paused"})
    if state == "on_hold":
        await club.work(days=31)
    assert (await club.read(own["subscription_id"]))["status"] == state
    await refused(club, f"{path}/update-payment-method", {"type": "existing", "payment_method_id": rupay})


@pytest.mark.parametrize(
    "changes", [{}, {"trial_period_days": 7}, {"on_demand": {"mandate_only": True}}, {"discount_codes": ["FREE"]}]
)
async def test_it_starts_nothing(club: Club, changes: dict[str, Any]) -> None:
    await club.call("POST", "/discounts", {"type": "percentage", "amount": 10_000, "code": "FREE"})
    customer_id, rupay = await rupay_of(club)
    body = {
        "billing": {"country": "US"},
        "customer": {"customer_id": customer_id},
        "product_id": await club.product(),
        "quantity": 1,
        "payment_method_id": rupay,
    }
    await refused(club, "/subscriptions", body | changes)


async def test_in_its_own_currency_it_is_good(club: Club) -> None:
    customer_id, rupay = await rupay_of(club)
    rupees = await club.product(currency="INR", price=50_000)
    customer = {"customer_id": customer_id}
    made = await club.request(
        rupees, billing={"country": "IN"}, customer=customer, trial_period_days=7, payment_method_id=rupay
    )
    assert (await club.read(made["subscription_id"]))["payment_method_id"] == rupay
    other = await club.subscribe(rupees, billing={"country": "IN"}, customer=customer)
    path = f"/subscriptions/{other['subscription_id']}/update-payment-method"
    await club.call("POST", path, {"type": "existing", "payment_method_id": rupay})
    assert (await club.read(other["subscription_id"]))["payment_method_id"] == rupay
