"""Several charges of a subscription at one moment: the clock of a test mode stands while it is moved."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from api.subscriptions.subscribing import RENEWALS_FAIL, Club, halfway, plan


async def change(club: Club, own: dict[str, Any], price: int, mode: str, status: int = 200, **plan_fields: Any) -> Any:
    body = {"product_id": await plan(club, price, **plan_fields), "quantity": 1, "proration_billing_mode": mode}
    return await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", body, status)


async def paid(club: Club, own: dict[str, Any]) -> list[tuple[int, str]]:
    """Return amounts and statuses, sorted: payments of one moment have no order."""
    found = await club.payments(own["subscription_id"])
    return sorted((payment["total_amount"], payment["status"]) for payment in found)


def succeeded(*amounts: int) -> list[tuple[int, str]]:
    return [(amount, "succeeded") for amount in sorted(amounts)]


@pytest.mark.parametrize(
    ("mode", "charged"),
    [("prorated_immediately", 8000 - 3000), ("difference_immediately", 8000 - 3000), ("full_immediately", 8000)],
)
async def test_a_change_at_the_moment_of_the_renewal(club: Club, mode: str, charged: int) -> None:
    own = await club.subscribe(await plan(club, 3000))
    await club.work(days=30)
    await change(club, own, 8000, mode)
    assert await paid(club, own) == succeeded(3000, 3000, charged)
    await club.work(days=31)
    assert await paid(club, own) == succeeded(3000, 3000, charged, 8000)
    await club.books_agree()


@pytest.mark.parametrize("mode", ["difference_immediately", "full_immediately"])
async def test_several_changes_at_one_moment(club: Club, mode: str) -> None:
    own = await halfway(club)
    for price in (8000, 12_000, 13_000):
        await change(club, own, price, mode)
    changes = (8000, 12_000, 13_000) if mode == "full_immediately" else (5000, 4000, 1000)
    assert await paid(club, own) == succeeded(3000, *changes)
    assert (await club.read(own["subscription_id"]))["recurring_pre_tax_amount"] == 13_000
    await club.books_agree()


async def test_a_refund_of_the_cycle_before_counts_not_for_one_that_begins_at_the_same_moment(club: Club) -> None:
    own = await club.subscribe(await plan(club, 3000))
    await club.work(days=30)
    renewal = (await club.payments(own["subscription_id"]))[1]
    assert renewal["created_at"] > own["created_at"]
    await club.call("POST", "/refunds", {"payment_id": renewal["payment_id"]})
    await change(club, own, 8000, "full_immediately")
    await change(club, own, 12_000, "difference_immediately")
    assert await paid(club, own) == succeeded(3000, 3000, 8000, 4000)


async def test_a_change_that_is_owed_is_paid_at_the_moment_of_the_first_charge(club: Club) -> None:
    own = await club.subscribe(await plan(club, 3000), RENEWALS_FAIL)
    body = {"on_payment_failure": "apply_change", "proration_billing_mode": "full_immediately", "quantity": 1}
    product_id = await plan(club, 8000)
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", body | {"product_id": product_id})
    assert await paid(club, own) == [(3000, "succeeded"), (8000, "failed")]
    good = await club.read((await club.subscribe(await plan(club, 100)))["subscription_id"])
    path = f"/subscriptions/{own['subscription_id']}/update-payment-method"
    await club.call("POST", path, {"type": "existing", "payment_method_id": good["payment_method_id"]})
    assert await paid(club, own) == [(3000, "succeeded"), (8000, "failed"), (8000, "succeeded")]
    assert (await club.read(own["subscription_id"]))["status"] == "active"
    await club.books_agree()


@pytest.mark.parametrize("days", [30, 31])
async def test_nothing_is_paid_for_a_period_that_is_over(club: Club, days: int) -> None:
    own = await club.subscribe(await plan(club, 3000))
    club.clock.advance(days=days)
    refused = await change(club, own, 8000, "difference_immediately", 409)
    assert refused["code"] == "PREVIOUS_PAYMENT_PENDING"
    assert await club.read(own["subscription_id"]) == own
    await club.work()
    assert await paid(club, own) == succeeded(3000, 3000)
    await change(club, own, 8000, "difference_immediately")
    assert await paid(club, own) == succeeded(3000, 3000, 5000)
    await club.books_agree()


@pytest.mark.parametrize(("since", "earlier"), [(0, 0), (60, 60), (60, 120)])
async def test_a_next_date_at_the_moment_of_a_change_that_was_paid(club: Club, since: int, earlier: int) -> None:
    """Test mode tolerates a date of just now, and the renewal of that date is no second charge of the change's."""
    own = await halfway(club)
    await change(club, own, 8000, "difference_immediately")
    moment = club.clock.now()
    club.clock.advance(seconds=since)
    date = (club.clock.now() - timedelta(seconds=earlier)).isoformat()
    path = f"/subscriptions/{own['subscription_id']}"
    moved = await club.call("PATCH", path, {"next_billing_date": date})
    assert datetime.fromisoformat(moved["next_billing_date"]) == moment + timedelta(microseconds=1)
    await club.work(seconds=1)
    assert await paid(club, own) == succeeded(3000, 5000, 8000)
    after = await club.read(own["subscription_id"])
    assert after["previous_billing_date"] == moved["next_billing_date"]
    await club.books_agree()
