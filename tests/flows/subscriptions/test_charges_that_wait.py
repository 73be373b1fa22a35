"""A new charge while another is under way is refused in the contract's words, and stores nothing."""

from api.subscriptions.subscribing import RENEWALS_FAIL, Club
from orders import dump

CHALLENGED = "4000002760003184"
NO_NEW_CHARGE = {
    "code": "PREVIOUS_PAYMENT_PENDING",
    "message": "Cannot create new charge as previous payment is not successful yet",
}


async def test_a_charge_on_demand_waits_for_the_one_before(club: Club) -> None:
    own = await club.subscribe(on_demand={"mandate_only": True})
    path = f"/subscriptions/{own['subscription_id']}"
    late = {"product_price": 500, "metadata": {"nicobar_scenario": "late_success:1h"}}
    made = await club.call("POST", f"{path}/charge", late)
    assert (await club.call("GET", f"/payments/{made['payment_id']}"))["status"] == "processing"
    before = await dump(club.runtime)
    assert await club.call("POST", f"{path}/charge", {"product_price": 500}, 409) == NO_NEW_CHARGE
    ended = {"disable_on_demand": {"next_billing_date": "2026-05-01T00:00:00Z"}}
    assert await club.call("PATCH", path, ended, 409) == {
        "code": "PREVIOUS_PAYMENT_PENDING",
        "message": "A payment of this subscription is still being processed",
    }, "what is no charge has a sentence of its own"
    assert await dump(club.runtime) == before


async def test_so_does_a_retry_by_hand(club: Club) -> None:
    own = await club.subscribe(number=RENEWALS_FAIL)
    await club.work(days=31)
    failed = next(each for each in await club.payments(own["subscription_id"]) if each["status"] == "failed")
    made = await club.call("POST", f"/subscriptions/{own['subscription_id']}/update-payment-method", {"type": "new"})
    await club.pay(made, CHALLENGED)
    path = f"/payments/{failed['payment_id']}/retry"
    assert (await club.call("GET", path))["reason"] == "PREVIOUS_PAYMENT_PENDING"
    before = await dump(club.runtime)
    assert await club.call("POST", path, status=409) == NO_NEW_CHARGE
    assert await dump(club.runtime) == before
