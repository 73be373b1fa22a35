"""A charge that was priced before midnight and is made after it: it costs what was decided, and is made."""

from typing import Any

import pytest

from api.subscriptions.subscribing import Club
from nicobar.core.subscriptions.due import ChargeDue, next_step
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.subscriptions.charge_due import charge_due
from nicobar.storage.subscriptions.subscriptions import get_subscription


async def with_a_code(club: Club) -> dict[str, Any]:
    """Return a subscription of 30 dollars with ten percent off."""
    await club.call("POST", "/discounts", {"type": "percentage", "amount": 1000, "code": "TEN"})
    return await club.subscribe(billing={"country": "DE"}, discount_codes=["TEN"])


async def with_credit(club: Club) -> dict[str, Any]:
    """Return a subscription of 50 dollars whose change from 80 gave back 30."""
    own = await club.subscribe(await club.product(price=8000), billing={"country": "DE"})
    body = {"product_id": await club.product(price=5000), "quantity": 1}
    path = f"/subscriptions/{own['subscription_id']}/change-plan"
    await club.call("POST", path, body | {"proration_billing_mode": "difference_immediately"})
    return own


async def with_a_scheduled_change(club: Club) -> dict[str, Any]:
    """Return a subscription that changes to 80 dollars, and keeps its ten percent off."""
    own = await with_a_code(club)
    body = {"product_id": await club.product(price=8000), "quantity": 1, "discount_codes": ["TEN"]}
    later = {"proration_billing_mode": "full_immediately", "effective_at": "next_billing_date"}
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", body | later)
    return own


@pytest.mark.parametrize(
    ("begin", "net", "tax"),
    [(with_a_code, 2700, 513), (with_credit, 2000, 380), (with_a_scheduled_change, 7200, 1368)],
)
async def test_a_charge_of_yesterday_keeps_its_price_and_is_made(club: Club, begin: Any, net: int, tax: int) -> None:
    for name, value in (("seller_country", "DE"), ("tax", "table")):
        await change_setting(club.runtime, club.merchant.tenant, name, value)
    club.clock.advance(seconds=10)
    own = await begin(club)
    club.clock.advance(days=31)
    at = club.clock.moment.replace(hour=23, minute=59, second=59)
    club.clock.correct(seconds=(at - club.clock.moment).total_seconds() + 1)
    async with club.runtime.database.read() as read:
        subscription = await get_subscription(read, club.merchant.tenant, own["subscription_id"])
    assert subscription is not None and club.clock.moment.date() > at.date()
    due = next_step(subscription, at)
    assert isinstance(due, ChargeDue)
    await charge_due(club.runtime, subscription, due, at)
    charged = (await club.payments(own["subscription_id"]))[-1]
    assert (charged["status"], charged["total_amount"], charged["tax"]) == ("succeeded", net + tax, tax)
    after = await club.read(own["subscription_id"])
    assert after["next_billing_date"] > own["next_billing_date"]
    await club.books_agree()
