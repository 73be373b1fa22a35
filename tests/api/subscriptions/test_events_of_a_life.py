"""The events of a whole life, as the official SDK reads them."""

import json

from dodopayments.types.unwrap_webhook_event import UnwrapWebhookEvent
from pydantic import TypeAdapter

from api.subscriptions.subscribing import RENEWALS_FAIL, Club
from nicobar.flows.business.change_setting import change_setting


async def test_the_sdk_reads_every_event_of_a_life(club: Club) -> None:
    await change_setting(club.runtime, club.merchant.tenant, "grace_period_days", "3")
    club.clock.advance(seconds=10)
    own = await club.subscribe(number=RENEWALS_FAIL)
    path = f"/subscriptions/{own['subscription_id']}"
    await club.call("PATCH", path, {"status": "paused"})
    await club.call("PATCH", path, {"status": "active"})
    plan = {"product_id": own["product_id"], "quantity": 2, "proration_billing_mode": "do_not_bill"}
    await club.call("POST", f"{path}/change-plan", plan)
    await club.work(days=31)
    await club.work(days=3)
    made = await club.call("POST", f"{path}/update-payment-method", {"type": "new"})
    await club.pay(made)
    await club.call("PATCH", path, {"status": "cancelled"})
    await club.work(days=1)
    assert await club.told() == [
        "payment.succeeded",
        "subscription.active",
        "subscription.renewed",
        "subscription.paused",
        "subscription.updated",
        "subscription.unpaused",
        "subscription.updated",
        "subscription.plan_changed",
        "subscription.updated",
        "payment.failed",
        "subscription.past_due",
        "subscription.on_hold",
        "payment.succeeded",
        "subscription.update_payment_method",
        "subscription.active",
        "subscription.renewed",
        "subscription.updated",
        "subscription.cancelled",
    ]
    reader: TypeAdapter[UnwrapWebhookEvent] = TypeAdapter(UnwrapWebhookEvent)
    async with club.runtime.database.read() as read:
        rows = await read.fetch("SELECT payload::text AS body FROM events ORDER BY number")
    for row in rows:
        body = json.loads(row["body"])
        event = reader.validate_json(row["body"])
        assert event.type == body["type"]
        if body["type"].startswith("subscription."):
            paid_by = body["data"]["payment_id"]
            assert (paid_by is not None) == (body["type"] == "subscription.renewed")
            assert (body["data"]["past_due_ends_at"] is not None) == (body["data"]["status"] == "past_due")
