"""Plan changes over HTTP: the documented examples to the unit, previews, schedules, failures."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.subscriptions.subscribing import RENEWALS_FAIL, Club, halfway, plan
from harness import Merchant
from nicobar.flows.business.change_setting import change_setting


@pytest.mark.parametrize(
    ("mode", "old", "new", "total", "credit"),
    [
        ("prorated_immediately", 3000, 8000, 2500, 0),
        ("prorated_immediately_keep_cycle", 3000, 8000, 2500, 0),
        ("prorated_immediately", 8000, 2000, 0, 3000),
        ("difference_immediately", 3000, 8000, 5000, 0),
        ("difference_immediately", 8000, 2000, 0, 6000),
        ("full_immediately", 3000, 8000, 8000, 0),
        ("do_not_bill", 3000, 8000, 0, 0),
    ],
)
async def test_the_documented_examples(club: Club, mode: str, old: int, new: int, total: int, credit: int) -> None:
    own = await halfway(club, old)
    body = {"product_id": await plan(club, new), "quantity": 1, "proration_billing_mode": mode}
    path = f"/subscriptions/{own['subscription_id']}"
    preview = await club.call("POST", f"{path}/change-plan/preview", body)
    summary = preview["immediate_charge"]["summary"]
    assert (summary["total_amount"], summary["customer_credits"], summary["customer_credits_currency"]) == (
        total,
        credit,
        "USD",
    )
    assert preview["new_plan"]["product_id"] == body["product_id"]
    assert (await club.read(own["subscription_id"]))["product_id"] == own["product_id"]  # nothing was changed yet
    answer = await club.call("POST", f"{path}/change-plan", body)
    assert answer == {"payment_id": None, "payment_link": None, "client_secret": None, "expires_on": None}
    changed = await club.read(own["subscription_id"])
    assert changed == preview["new_plan"]
    assert (changed["product_id"], changed["recurring_pre_tax_amount"]) == (body["product_id"], new)
    payments = await club.payments(own["subscription_id"])
    assert [each["total_amount"] for each in payments[1:]] == ([total] if total else [])
    same_dates = changed["next_billing_date"] == own["next_billing_date"]
    assert same_dates is (mode != "full_immediately")
    told = (await club.told())[3:]
    assert told == (["payment.succeeded"] if total else []) + ["subscription.plan_changed", "subscription.updated"]
    if total and mode.startswith("prorated"):
        (period,) = payments[1]["service_periods"]
        assert (payments[1]["charge_type"], period["proration_factor"]) == ("plan_change", "0.5")
        assert period["ends_at"] == own["next_billing_date"]
    await club.books_agree()


@pytest.mark.parametrize("link", [{}, {"return_url": "https://shop.example/done"}, {"cancel_older_payment_link": True}])
async def test_a_preview_passes_over_how_the_change_would_be_collected(club: Club, link: dict[str, Any]) -> None:
    own = await halfway(club)
    path = f"/subscriptions/{own['subscription_id']}/change-plan"
    body = {"product_id": await plan(club, 8000), "quantity": 1, "proration_billing_mode": "prorated_immediately"}
    told = await club.call("POST", f"{path}/preview", body | link | {"collect_via_payment_link": True})
    assert told["immediate_charge"]["summary"]["total_amount"] == 2500
    refused = await club.call("POST", path, body | link | {"collect_via_payment_link": True}, 422)
    assert refused["code"] == "UNSUPPORTED_ACTION"
    assert await club.read(own["subscription_id"]) == own and await club.counted("payments") == 1
    bad = await club.call("POST", f"{path}/preview", body | {"return_url": "https://shop.example/done"}, 422)
    assert bad["code"] == "INVALID_REQUEST_PARAMETERS"


async def test_a_downgrades_credit_pays_the_next_renewals(club: Club) -> None:
    own = await halfway(club, 8000)
    body = {
        "product_id": await plan(club, 2000),
        "quantity": 1,
        "proration_billing_mode": "difference_immediately",
    }
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", body)
    for _ in range(4):
        await club.work(days=30)
    payments = await club.payments(own["subscription_id"])
    assert [each["total_amount"] for each in payments] == [8000, 0, 0, 0, 2000]
    await club.books_agree()


async def test_the_month_end_example_with_tax(club: Club) -> None:
    for name, value in (("seller_country", "DE"), ("tax", "table")):
        await change_setting(club.runtime, club.merchant.tenant, name, value)
    club.clock.moment = datetime(2027, 1, 31, tzinfo=UTC)
    club.clock.advance(seconds=0)
    own = await club.subscribe(billing={"country": "DE"})
    assert own["next_billing_date"] == "2027-02-28T00:00:00Z"
    club.clock.moment = datetime(2027, 2, 10, 12, tzinfo=UTC)
    body = {
        "product_id": await club.product(price=8000),
        "quantity": 1,
        "proration_billing_mode": "prorated_immediately",
    }
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", body)
    charged = (await club.payments(own["subscription_id"]))[1]
    assert (charged["total_amount"], charged["tax"]) == (3719, 594)
    assert charged["service_periods"][0]["proration_factor"] == "0.625"


async def test_another_interval_begins_a_new_cycle(club: Club) -> None:
    own = await halfway(club)
    yearly = await club.product(price=30000, payment_frequency_interval="Year")
    body = {"product_id": yearly, "quantity": 1, "proration_billing_mode": "prorated_immediately"}
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", body)
    changed = await club.read(own["subscription_id"])
    assert (await club.payments(own["subscription_id"]))[1]["total_amount"] == 30000 - 1500
    assert changed["next_billing_date"].startswith("2027-03-29") and changed["payment_frequency_interval"] == "Year"


async def test_a_scheduled_change_waits_replaces_the_renewal_and_can_be_deleted(club: Club) -> None:
    own = await halfway(club)
    path = f"/subscriptions/{own['subscription_id']}/change-plan"
    product_id = await plan(club, 8000)
    body = {
        "product_id": product_id,
        "quantity": 2,
        "proration_billing_mode": "full_immediately",
        "effective_at": "next_billing_date",
    }
    await club.call("POST", path, body)
    waiting = (await club.read(own["subscription_id"]))["scheduled_change"]
    assert (waiting["product_id"], waiting["quantity"], waiting["effective_at"]) == (
        product_id,
        2,
        own["next_billing_date"],
    )
    assert (await club.call("POST", path, body, 409))["code"] == "SCHEDULED_PLAN_CHANGE_EXISTS"
    await club.call("DELETE", f"{path}/scheduled", status=204)
    assert (await club.call("DELETE", f"{path}/scheduled", status=404))["code"] == "SCHEDULED_PLAN_CHANGE_NOT_FOUND"
    assert (await club.call("DELETE", "/subscriptions/sub_no/change-plan/scheduled", status=422))["code"] == "NOT_FOUND"
    await club.call("POST", path, body)
    await club.work(days=15)
    changed = await club.read(own["subscription_id"])
    assert (changed["product_id"], changed["quantity"], changed["scheduled_change"]) == (product_id, 2, None)
    last = (await club.payments(own["subscription_id"]))[-1]
    assert (last["charge_type"], last["total_amount"]) == ("plan_change", 16000)
    assert last["service_periods"][0]["starts_at"] == own["next_billing_date"]
    await club.books_agree()


async def test_a_code_lasts_no_cycle_longer_when_the_old_plan_is_renewed_before_a_scheduled_change(club: Club) -> None:
    """The method is gone at the billing date, so the old plan is put on hold, and paid later with another one."""
    code = {"type": "percentage", "amount": 5000, "code": "HALF", "subscription_cycles": 3}
    await club.call("POST", "/discounts", code | {"preserve_on_plan_change": True})
    own = await club.subscribe(await plan(club, 3000), discount_codes=["HALF"])
    path = f"/subscriptions/{own['subscription_id']}"
    body = {"product_id": await plan(club, 8000), "quantity": 1, "proration_billing_mode": "full_immediately"}
    await club.call("POST", f"{path}/change-plan", body | {"effective_at": "next_billing_date"})
    async with club.runtime.database.transaction() as tx:
        await tx.execute("UPDATE saved_methods SET processor = 'elsewhere'")
    await club.work(days=30)
    assert (await club.read(own["subscription_id"]))["status"] == "on_hold"
    async with club.runtime.database.transaction() as tx:
        await tx.execute("UPDATE saved_methods SET processor = 'simulator'")
    method = {"type": "existing", "payment_method_id": own["payment_method_id"]}
    await club.call("POST", f"{path}/update-payment-method", method)
    assert (await club.read(own["subscription_id"]))["discounts"][0]["cycles_remaining"] == 1
    for _ in range(2):
        await club.work(days=30)
    totals = [each["total_amount"] for each in await club.payments(own["subscription_id"])]
    assert totals == [1500, 1500, 4000, 8000]
    await club.books_agree()


async def test_a_scheduled_change_moves_with_the_billing_date(club: Club) -> None:
    own = await halfway(club)
    path = f"/subscriptions/{own['subscription_id']}"
    body = {
        "product_id": await plan(club, 8000),
        "quantity": 1,
        "proration_billing_mode": "full_immediately",
        "effective_at": "next_billing_date",
    }
    await club.call("POST", f"{path}/change-plan", body)
    async with club.runtime.database.transaction() as tx:  # earlier versions kept the date as it was told first
        told = f'"{own["next_billing_date"]}"'
        await tx.execute(
            "UPDATE subscriptions SET details ="
            " jsonb_set(details::jsonb, '{scheduled_change,effective_at}', $1::text::jsonb)::json",
            told,
        )
    moved_date = "2026-05-20T12:00:00Z"
    moved = await club.call("PATCH", path, {"next_billing_date": moved_date})
    assert (moved["next_billing_date"], moved["scheduled_change"]["effective_at"]) == (moved_date, moved_date)
    await club.call("PATCH", path, {"status": "paused"})
    club.clock.advance(days=3)
    resumed = await club.call("PATCH", path, {"status": "active"})
    assert resumed["next_billing_date"] == resumed["scheduled_change"]["effective_at"] == "2026-05-23T12:00:00Z"
    await club.work(days=60)
    last = (await club.payments(own["subscription_id"]))[1]
    assert (last["charge_type"], last["total_amount"]) == ("plan_change", 8000)
    assert last["service_periods"][0]["starts_at"] == "2026-05-23T12:00:00Z"


@pytest.mark.parametrize(("on_failure", "status"), [("prevent_change", "active"), ("apply_change", "on_hold")])
async def test_a_charge_that_fails(club: Club, on_failure: str, status: str) -> None:
    own = await halfway(club, number=RENEWALS_FAIL)
    body = {
        "product_id": await plan(club, 8000),
        "quantity": 1,
        "proration_billing_mode": "prorated_immediately",
        "on_payment_failure": on_failure,
    }
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", body)
    after = await club.read(own["subscription_id"])
    assert after["status"] == status
    assert (after["product_id"] == body["product_id"]) is (on_failure == "apply_change")
    told = (await club.told())[3:]
    if on_failure == "apply_change":
        assert told == ["payment.failed", "subscription.plan_changed", "subscription.on_hold", "subscription.updated"]
    else:
        assert told == ["payment.failed"]
    await club.books_agree()


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"product_id": "pdt_unknown"}, 404, "NOT_FOUND"),
        ({"quantity": 0}, 422, "INVALID_REQUEST_BODY"),
        ({"proration_billing_mode": "later"}, 422, "INVALID_REQUEST_BODY"),
        ({"effective_at": "next_billing_date"}, 422, "INVALID_PRORATION_MODE_WITH_NEXT_BILLING_DATE"),
        ({"return_url": "https://shop.example"}, 422, "INVALID_REQUEST_PARAMETERS"),
        ({"discount_codes": ["NEW"]}, 422, "UNSUPPORTED_ACTION"),
        ({"addons": [{"addon_id": "adn_1", "quantity": 1}]}, 422, "MISSING_ADDON_IDS"),
    ],
)
async def test_what_is_refused_changes_nothing(club: Club, changes: dict[str, Any], status: int, code: str) -> None:
    own = await halfway(club)
    body = {"product_id": await plan(club, 8000), "quantity": 1, "proration_billing_mode": "prorated_immediately"}
    for place in ("change-plan", "change-plan/preview"):
        path = f"/subscriptions/{own['subscription_id']}/{place}"
        assert (await club.call("POST", path, body | changes, status))["code"] == code
    assert await club.read(own["subscription_id"]) == own and await club.counted("payments") == 1


async def test_another_currency_and_another_brand_are_refused(club: Club) -> None:
    own = await halfway(club)
    body = {
        "product_id": await plan(club, 8000, currency="EUR"),
        "quantity": 1,
        "proration_billing_mode": "do_not_bill",
    }
    path = f"/subscriptions/{own['subscription_id']}/change-plan"
    assert (await club.call("POST", path, body, 422))["code"] == "UNSUPPORTED_CURRENCY"


async def test_a_code_that_covers_nothing_of_the_new_plan_is_refused(club: Club) -> None:
    product_id = await club.product()
    code = {"type": "percentage", "amount": 1000, "code": "TEN", "restricted_to": [product_id]}
    await club.call("POST", "/discounts", code)
    own = await club.subscribe(product_id, discount_codes=["TEN"])
    body = {
        "product_id": await plan(club, 8000),
        "quantity": 1,
        "proration_billing_mode": "do_not_bill",
        "discount_codes": ["TEN"],
    }
    path = f"/subscriptions/{own['subscription_id']}/change-plan"
    assert (await club.call("POST", path, body, 422))["code"] == "DISCOUNT_NOT_APPLICABLE_TO_NEW_PRODUCT"
    await club.call("POST", path, body | {"discount_codes": []})
    assert (await club.read(own["subscription_id"]))["discounts"] is None


async def test_nobody_else_changes_it(club: Club, other_merchant: Merchant) -> None:
    own = await halfway(club)
    body = {"product_id": await plan(club, 8000), "quantity": 1, "proration_billing_mode": "do_not_bill"}
    for client in (other_merchant.client, club.merchant.live_client):
        for place in ("change-plan", "change-plan/preview"):
            response = await client.post(f"/subscriptions/{own['subscription_id']}/{place}", json=body)
            assert response.status_code == 404
    assert await club.read(own["subscription_id"]) == own
