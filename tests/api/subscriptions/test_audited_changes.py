"""What the audit log has of subscriptions: changes of plans and methods, charged or not, and refused ones never."""

from typing import Any

from api.subscriptions.subscribing import RENEWALS_FAIL, Club
from pages.portal.portals import save_card

AT_ONCE = {"quantity": 1, "proration_billing_mode": "full_immediately"}


async def entries(club: Club, subscription_id: str) -> list[tuple[str, list[str]]]:
    """Return actions with fields of the entries about a subscription, the oldest first; all were made with a key."""
    async with club.runtime.database.read() as read:
        rows = await read.fetch(
            "SELECT actor, action, fields FROM audit_log WHERE $1 = ANY(object_ids) ORDER BY at, entry_id",
            subscription_id,
        )
    assert {row["actor"] for row in rows} <= {"key"}
    return [(row["action"], list(row["fields"])) for row in rows]


async def change(club: Club, own: dict[str, Any], status: int = 200, **body: Any) -> None:
    club.clock.advance(minutes=1)
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", AT_ONCE | body, status)


async def update_method(club: Club, own: dict[str, Any], status: int = 200, **body: Any) -> Any:
    return await club.call("POST", f"/subscriptions/{own['subscription_id']}/update-payment-method", body, status)


async def test_plan_changes_that_charge_and_that_do_not(club: Club) -> None:
    own, other = await club.subscribe(), await club.product(price=5000)
    subscription_id = own["subscription_id"]
    await club.call("POST", f"/subscriptions/{subscription_id}/change-plan/preview", AT_ONCE | {"product_id": other})
    await change(club, own, 404, product_id="pdt_unknown")
    assert await entries(club, subscription_id) == []
    await change(club, own, product_id=other)
    assert [paid["total_amount"] for paid in await club.payments(subscription_id)] == [3000, 5000]
    assert await entries(club, subscription_id) == [("subscription.change_plan", [])]
    await change(club, own, product_id=own["product_id"], proration_billing_mode="do_not_bill")
    assert await entries(club, subscription_id) == [("subscription.change_plan", [])] * 2
    await club.work(days=31)
    assert len(await club.payments(subscription_id)) == 3 and len(await entries(club, subscription_id)) == 2


async def test_a_declined_plan_change_was_asked_for(club: Club) -> None:
    own = await club.subscribe(number=RENEWALS_FAIL)
    other = await club.product(price=5000)
    await change(club, own, product_id=other, on_payment_failure="apply_change")
    assert (await club.read(own["subscription_id"]))["status"] == "on_hold"
    assert await entries(club, own["subscription_id"]) == [("subscription.change_plan", [])]


async def test_other_methods_saved_and_typed(club: Club) -> None:
    own = await club.subscribe()
    saved = await save_card(club, own["customer"]["customer_id"], "5555555555554444")
    await update_method(club, own, 404, type="existing", payment_method_id="pm_unknown")
    assert await entries(club, own["subscription_id"]) == []
    await update_method(club, own, type="existing", payment_method_id=saved)
    told = [("subscription.change_method", ["payment_method_id"])]
    assert await entries(club, own["subscription_id"]) == told
    await club.pay(await update_method(club, own, type="new"))
    assert (await club.read(own["subscription_id"]))["payment_method_id"] != saved
    assert await entries(club, own["subscription_id"]) == told * 2


async def test_a_method_that_pays_what_is_owed(club: Club) -> None:
    own = await club.subscribe(number=RENEWALS_FAIL)
    saved = await save_card(club, own["customer"]["customer_id"], "5555555555554444")
    await club.work(days=31)
    failed = (await club.payments(own["subscription_id"]))[-1]
    await club.call("POST", f"/payments/{failed['payment_id']}/retry")
    await update_method(club, own, type="existing", payment_method_id=own["payment_method_id"])
    assert await entries(club, own["subscription_id"]) == []
    await update_method(club, own, type="existing", payment_method_id=saved)
    assert (await club.read(own["subscription_id"]))["payment_method_id"] == saved
    assert await entries(club, own["subscription_id"]) == [("subscription.change_method", ["payment_method_id"])]
