"""Renewals: each cycle charged once, late ones caught up, failed ones held, retried and recovered."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.subscriptions.subscribing import PRICE, RENEWALS_FAIL, Club
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.subscriptions.work_on_subscription import work_on_subscription


async def starts(club: Club, subscription_id: str) -> list[str]:
    """Return the days on which paid periods begin, the oldest first."""
    paid = await club.payments(subscription_id)
    return sorted(period["starts_at"][:10] for each in paid for period in each["service_periods"])


async def test_every_cycle_is_charged_once_at_its_date(club: Club) -> None:
    own = await club.subscribe()
    for _ in range(93):
        await club.work(days=1)
    assert await starts(club, own["subscription_id"]) == ["2026-03-14", "2026-04-14", "2026-05-14", "2026-06-14"]
    renewal = (await club.payments(own["subscription_id"]))[1]
    assert (renewal["charge_type"], renewal["retry_attempt"], renewal["total_amount"]) == ("renewal", 0, 3000)
    assert (renewal["payment_method_id"], renewal["payment_link"]) == (own["payment_method_id"], None)
    assert (await club.told())[-3:] == ["payment.succeeded", "subscription.renewed", "subscription.updated"]
    newest = (await club.payments(own["subscription_id"]))[-1]["payment_id"]
    assert (await club.bodies("subscription.renewed"))[-1]["payment_id"] == newest
    await club.books_agree()


async def test_a_worker_that_was_down_for_months_catches_up_in_order(club: Club) -> None:
    own = await club.subscribe()
    await club.work(days=93)
    assert await starts(club, own["subscription_id"]) == ["2026-03-14", "2026-04-14", "2026-05-14", "2026-06-14"]
    assert (await club.read(own["subscription_id"]))["next_billing_date"].startswith("2026-07-14")


async def test_several_workers_charge_once(club: Club) -> None:
    owns = [await club.subscribe(customer={"email": f"c{number}@example.com", "name": "C"}) for number in range(5)]
    club.clock.advance(days=31)
    tenant = club.merchant.tenant
    work = [work_on_subscription(club.runtime, tenant, own["subscription_id"]) for own in owns for _ in range(4)]
    await asyncio.gather(*work)
    for own in owns:
        assert await starts(club, own["subscription_id"]) == ["2026-03-14", "2026-04-14"]
    assert await club.counted("payments") == 10
    await club.books_agree()


async def test_a_failed_renewal_puts_it_on_hold_and_stops_there(club: Club) -> None:
    own = await club.subscribe(number=RENEWALS_FAIL)
    await club.work(days=100)
    held = await club.read(own["subscription_id"])
    assert held["status"] == "on_hold" and held["next_billing_date"].startswith("2026-04-14")
    payments = await club.payments(own["subscription_id"])
    assert [each["status"] for each in payments] == ["succeeded", "failed"]
    assert payments[1]["service_periods"] == [] and payments[1]["error_code"] is not None
    assert (await club.told())[-2:] == ["payment.failed", "subscription.on_hold"]
    await club.books_agree()


async def test_a_grace_period_keeps_it_usable_and_ends_as_the_setting_says(club: Club) -> None:
    await change_setting(club.runtime, club.merchant.tenant, "grace_period_days", "3")
    await change_setting(club.runtime, club.merchant.tenant, "grace_period_end", "cancel")
    club.clock.advance(seconds=10)
    own = await club.subscribe(number=RENEWALS_FAIL)
    await club.work(days=31)
    assert (await club.read(own["subscription_id"]))["status"] == "past_due"
    (told,) = await club.bodies("subscription.past_due")
    assert told["past_due_ends_at"] is not None
    await club.work(days=3)
    ended = await club.read(own["subscription_id"])
    assert (ended["status"], ended["cancelled_by"]) == ("cancelled", None)
    assert (await club.told())[-1] == "subscription.cancelled"


async def test_soft_declines_are_retried_on_the_ladder(club: Club) -> None:
    await change_setting(club.runtime, club.merchant.tenant, "renewal_retry_days", "13")
    club.clock.advance(seconds=10)
    scenario = {"nicobar_scenario": "decline=INSUFFICIENT_FUNDS"}
    own = await club.subscribe()
    await _decline_from_now_on(club, own["subscription_id"], scenario)
    for _ in range(60):
        await club.work(hours=12)
    for _ in range(40):
        await club.work(hours=12)
    payments = await club.payments(own["subscription_id"])
    assert [each["retry_attempt"] for each in payments] == [0, 0, 1, 2, 3, 4, 5]
    assert {each["status"] for each in payments[1:]} == {"failed"}
    assert (await club.read(own["subscription_id"]))["status"] == "on_hold"


async def test_the_automatic_retries_of_a_failed_renewal_are_counted(club: Club) -> None:
    tenant = club.merchant.tenant
    await change_setting(club.runtime, tenant, "renewal_retry_days", "13")
    club.clock.advance(seconds=10)
    own = await club.subscribe()
    await _decline_from_now_on(club, own["subscription_id"], {"nicobar_scenario": "decline=INSUFFICIENT_FUNDS"})
    await club.work(days=31)

    async def state() -> tuple[int | None, int | None, bool]:
        failed = [each for each in await club.payments(own["subscription_id"]) if each["status"] == "failed"][-1]
        found = await club.call("GET", f"/payments/{failed['payment_id']}/retry")
        assert (found["can_retry"], found["reason"], found["retry_available_at"]) == (True, None, None)
        number, total = found["automatic_retry_number"], found["automatic_retry_total"]
        return number, total, found["next_automatic_retry_at"] is not None

    assert await state() == (1, 5, True)
    await club.work(hours=12)
    assert await state() == (2, 5, True)
    await change_setting(club.runtime, tenant, "renewal_retry_days", "1")
    club.clock.advance(seconds=10)
    assert await state() == (2, 2, True), "what is queued is counted, whatever the setting says now"
    await club.work(days=2)
    assert await state() == (None, None, False)


async def test_a_retry_by_hand_is_not_followed_by_one_at_once(club: Club) -> None:
    """The automatic one had waited for a page, and was due when the merchant sent the charge by hand."""
    await change_setting(club.runtime, club.merchant.tenant, "renewal_retry_days", "13")
    club.clock.advance(seconds=10)
    own = await club.subscribe()
    await _decline_from_now_on(club, own["subscription_id"], {"nicobar_scenario": "decline=INSUFFICIENT_FUNDS"})
    await club.work(days=31)
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/update-payment-method", {"type": "new"})
    await club.work(hours=13)
    failed = [each for each in await club.payments(own["subscription_id"]) if each["status"] == "failed"][-1]
    sent = await club.call("POST", f"/payments/{failed['payment_id']}/retry")
    assert (sent["status"], sent["sends_used"]) == ("failed", 1)
    state = await club.call("GET", f"/payments/{sent['payment_id']}/retry")
    at = datetime.fromisoformat(state["next_automatic_retry_at"])
    assert (at - club.clock.now(), state["automatic_retry_number"]) == (timedelta(hours=12), 1)
    made = len(await club.payments(own["subscription_id"]))
    await club.work(hours=11)
    assert len(await club.payments(own["subscription_id"])) == made
    await club.work(hours=1)
    assert len(await club.payments(own["subscription_id"])) == made + 1
    await club.books_agree()


async def _decline_from_now_on(club: Club, subscription_id: str, metadata: dict[str, Any]) -> None:
    """Let the simulated bank decline what is charged later."""
    async with club.runtime.database.transaction() as tx:
        await tx.execute(
            "UPDATE subscriptions SET details = (details::jsonb || jsonb_build_object('metadata', $2::jsonb))::json"
            " WHERE subscription_id = $1",
            subscription_id,
            metadata,
        )


@pytest.mark.parametrize("days", [1, 40])
async def test_a_term_that_is_over_expires(club: Club, days: int) -> None:
    product_id = await club.product(subscription_period_count=2, subscription_period_interval="Month")
    own = await club.subscribe(product_id)
    await club.work(days=60 + days)
    await club.work(days=1)
    ended = await club.read(own["subscription_id"])
    assert ended["status"] == "expired" and (await club.told())[-1] == "subscription.expired"
    assert await starts(club, own["subscription_id"]) == ["2026-03-14", "2026-04-14"]


async def test_codes_count_charged_cycles(club: Club) -> None:
    code = {"type": "percentage", "amount": 5000, "code": "HALF", "subscription_cycles": 2, "name": "Half"}
    await club.call("POST", "/discounts", code)
    own = await club.subscribe(discount_codes=["HALF"])
    assert own["discounts"][0]["cycles_remaining"] == own["discount_cycles_remaining"] == 1
    for _ in range(3):
        await club.work(days=31)
    totals = [each["total_amount"] for each in await club.payments(own["subscription_id"])]
    assert totals == [1500, 1500, 3000, 3000]
    after = await club.read(own["subscription_id"])
    assert (after["discounts"][0]["cycles_remaining"], after["recurring_pre_tax_amount"]) == (0, 3000)
    used = (await club.call("GET", "/discounts"))["items"][0]["times_used"]
    assert used == 1
    explained = await club.call(
        "GET", f"/payments/{(await club.payments(own['subscription_id']))[1]['payment_id']}/explain"
    )
    assert "HALF" in str(explained)
    await club.books_agree()


async def test_the_code_of_a_trial_is_used_and_waits_for_the_first_cycle(club: Club) -> None:
    code = {"type": "percentage", "amount": 5000, "code": "HALF", "subscription_cycles": 1, "usage_limit": 1}
    await club.call("POST", "/discounts", code)
    own = await club.subscribe(await club.product(trial_period_days=7), discount_codes=["HALF"])
    assert own["discount_cycles_remaining"] == 1
    assert (await club.call("GET", "/discounts"))["items"][0]["times_used"] == 1
    await club.work(days=8)
    await club.work(days=32)
    assert [each["total_amount"] for each in await club.payments(own["subscription_id"])] == [0, 1500, 3000]
    await club.books_agree()


async def test_taxes_are_those_of_the_day_and_the_address_of_now(club: Club) -> None:
    await change_setting(club.runtime, club.merchant.tenant, "seller_country", "DE")
    await change_setting(club.runtime, club.merchant.tenant, "tax", "table")
    club.clock.advance(seconds=10)
    own = await club.subscribe(billing={"country": "DE"})
    await club.work(days=31)
    assert [(each["total_amount"], each["tax"]) for each in await club.payments(own["subscription_id"])] == [
        (3570, 570),
        (3570, 570),
    ]
    await club.books_agree()


async def test_a_price_change_does_not_touch_it(club: Club) -> None:
    own = await club.subscribe()
    await club.call("PATCH", f"/products/{own['product_id']}", {"price": PRICE | {"price": 9900}})
    await club.work(days=31)
    assert [each["total_amount"] for each in await club.payments(own["subscription_id"])] == [3000, 3000]


async def test_a_week_without_a_worker_is_seven_due_dates_in_a_row(club: Club) -> None:
    own = await club.subscribe(await club.product(payment_frequency_interval="Day", subscription_period_count=1))
    begun = club.clock.now()
    await club.work(days=7)
    found = await starts(club, own["subscription_id"])
    assert found == [(begun + timedelta(days=day)).date().isoformat() for day in range(8)]


async def test_a_method_of_a_processor_that_is_gone_puts_it_on_hold(club: Club) -> None:
    own = await club.subscribe()
    async with club.runtime.database.transaction() as tx:
        await tx.execute("UPDATE saved_methods SET processor = 'elsewhere'")
    await club.work(days=31)
    assert (await club.read(own["subscription_id"]))["status"] == "on_hold"
    assert (await club.told())[-1] == "subscription.on_hold"
    assert len(await club.payments(own["subscription_id"])) == 1
    await club.books_agree()


async def test_without_any_processor_the_renewal_waits(club: Club) -> None:
    own = await club.subscribe()
    bare = club.runtime._replace(processors={})
    club.clock.advance(days=31)
    assert await work_on_subscription(bare, club.merchant.tenant, own["subscription_id"]) is False
    assert (await club.read(own["subscription_id"]))["status"] == "active"
    assert len(await club.payments(own["subscription_id"])) == 1
    await club.work()
    assert len(await club.payments(own["subscription_id"])) == 2


async def test_sending_again_without_a_method_changes_nothing_and_its_key_is_free(club: Club) -> None:
    """A refusal that had put something down was told, when it came again, that it had been carried out."""
    tenant = club.merchant.tenant
    await change_setting(club.runtime, tenant, "renewal_retry_days", "14")
    own = await club.subscribe(number=RENEWALS_FAIL)
    await club.work(days=31)
    failed = (await club.payments(own["subscription_id"]))[-1]
    held = await club.read(own["subscription_id"])
    path, key = f"/payments/{failed['payment_id']}/retry", {"idempotency-key": "again"}
    for name, status, code in (
        ("elsewhere", 422, "NO_ELIGIBLE_PAYMENT_METHODS"),
        ("elsewhere", 422, "NO_ELIGIBLE_PAYMENT_METHODS"),
        ("simulator", 200, None),
        ("simulator", 200, None),
    ):
        async with club.runtime.database.transaction() as tx:
            await tx.execute("UPDATE saved_methods SET processor = $1", name)
        response = await club.merchant.client.post(path, headers=key)
        assert (response.status_code, response.json().get("code")) == (status, code), response.text
        if code is not None:
            assert await club.read(own["subscription_id"]) == held
            assert await club.counted("kept_answers WHERE content IS NOT NULL") == 0
    assert len(await club.payments(own["subscription_id"])) == 3
