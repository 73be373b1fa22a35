"""A subscription whose term is over takes no more money, even before the worker has come to end it."""

from typing import Any

import pytest

from api.subscriptions.subscribing import Club, plan
from orders import dump

ONE_MONTH: dict[str, Any] = {"subscription_period_count": 1, "subscription_period_interval": "Month"}


async def refused(club: Club, path: str, body: dict[str, Any], code: str) -> None:
    before = await dump(club.runtime)
    assert (await club.call("POST", path, body, 422))["code"] == code
    assert await dump(club.runtime) == before


async def test_nothing_is_charged_on_demand(club: Club) -> None:
    own = await club.subscribe(await club.product(**ONE_MONTH), on_demand={"mandate_only": True})
    path = f"/subscriptions/{own['subscription_id']}/charge"
    club.clock.advance(days=30)
    await club.call("POST", path, {"product_price": 500})
    club.clock.advance(days=1)
    await refused(club, path, {"product_price": 500}, "SUBSCRIPTION_EXPIRED")
    await club.work()
    assert (await club.read(own["subscription_id"]))["status"] == "expired"
    await refused(club, path, {"product_price": 500}, "SUBSCRIPTION_EXPIRED")


@pytest.mark.parametrize("mode", ["full_immediately", "prorated_immediately", "do_not_bill"])
async def test_no_plan_is_changed(club: Club, mode: str) -> None:
    own = await club.subscribe(await club.product(**ONE_MONTH))
    body = {"product_id": await plan(club, 8000), "quantity": 1, "proration_billing_mode": mode}
    path = f"/subscriptions/{own['subscription_id']}/change-plan"
    club.clock.advance(days=31)
    for place in (path, f"{path}/preview"):
        await refused(club, place, body, "INACTIVE_SUBSCRIPTION_PLAN_CHANGE_NOT_SUPPORTED")
    await club.work()
    assert (await club.read(own["subscription_id"]))["status"] == "expired"
    assert len(await club.payments(own["subscription_id"])) == 1
