"""PATCH and its neighbours: dates, ends, pauses, on-demand charges, methods, retries (contract, sections 10 to 16)."""

from typing import Any

import pytest

from api.subscriptions.subscribing import GOOD_CARD, RENEWALS_FAIL, Club
from harness import Merchant
from nicobar.core.subscriptions.change_request import SubscriptionChange
from nicobar.core.subscriptions.subscription import CancelledBy
from nicobar.flows.subscriptions.update_subscription import update_subscription
from orders import dump


async def patch(club: Club, own: dict[str, Any], body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    changed: dict[str, Any] = await club.call("PATCH", f"/subscriptions/{own['subscription_id']}", body, status)
    return changed


async def other_card(club: Club, own: dict[str, Any]) -> str:
    """Let the customer save a second card, by another subscription; return its id."""
    second = await club.subscribe(own["product_id"], "5555555555554444")
    method: str = second["payment_method_id"]
    assert second["customer"]["customer_id"] == own["customer"]["customer_id"]
    await patch(club, second, {"status": "cancelled"})
    return method


async def test_fields_are_replaced_and_told(club: Club) -> None:
    own = await club.subscribe(metadata={"a": "1"})
    changed = await patch(
        club,
        own,
        {"metadata": {"b": 2}, "customer_name": "Ana Maria", "billing": {"country": "DE", "city": "Bonn"}},
    )
    assert (changed["metadata"], changed["customer"]["name"]) == ({"b": 2}, "Ana Maria")
    assert changed["billing"] == {"country": "DE", "city": "Bonn", "state": None, "street": None, "zipcode": None}
    assert await club.read(own["subscription_id"]) == changed
    assert (await club.told())[3:] == ["subscription.updated"]
    customer = await club.call("GET", f"/customers/{own['customer']['customer_id']}")
    assert customer["name"] == "Ana Maria"


async def test_the_documented_renewal_test_moves_the_date_to_now(club: Club) -> None:
    own = await club.subscribe(number=RENEWALS_FAIL)
    club.clock.advance(days=3)
    now = club.clock.now().isoformat()
    await patch(club, own, {"next_billing_date": now})
    await club.work()
    assert (await club.read(own["subscription_id"]))["status"] == "on_hold"
    assert (await club.told())[-2:] == ["payment.failed", "subscription.on_hold"]


async def test_a_moved_date_is_the_new_anchor(club: Club) -> None:
    own = await club.subscribe()
    changed = await patch(club, own, {"next_billing_date": "2026-05-31T00:00:00Z"})
    assert changed["next_billing_date"] == "2026-05-31T00:00:00Z"
    await club.work(days=80)
    assert (await club.read(own["subscription_id"]))["next_billing_date"] == "2026-06-30T00:00:00Z"


async def test_a_cancellation_ends_it_now_or_at_the_date(club: Club) -> None:
    own = await club.subscribe()
    body = {"cancel_at_next_billing_date": True, "cancellation_feedback": "unused", "cancellation_comment": "Moved."}
    waiting = await patch(club, own, body)
    assert (waiting["status"], waiting["cancel_at_next_billing_date"]) == ("active", True)
    assert waiting["cancelled_by"] == {"actor_type": "api_key", "email": None, "name": None}
    assert (await patch(club, own, {"cancel_at_next_billing_date": False}))["cancelled_by"] is None
    await patch(club, own, body)
    await club.work(days=31)
    ended = await club.read(own["subscription_id"])
    assert (ended["status"], ended["cancellation_feedback"], ended["cancelled_at"] is None) == (
        "cancelled",
        "unused",
        False,
    )
    assert len(await club.payments(own["subscription_id"])) == 1
    other = await club.subscribe(own["product_id"])
    gone = await patch(club, other, {"status": "cancelled", "cancel_reason": "cancelled_by_customer"})
    assert gone["status"] == "cancelled" and await patch(club, other, {"status": "cancelled"}) == gone
    assert (await patch(club, other, {"metadata": {}}, 422))["code"] == "SUBSCRIPTION_INACTIVE"
    await club.work(days=62)
    assert len(await club.payments(other["subscription_id"])) == 1


@pytest.mark.parametrize("scheduled", [True, False])
async def test_a_schedule_that_is_repeated_changes_nothing(club: Club, *, scheduled: bool) -> None:
    own = await club.subscribe()
    if scheduled:
        await patch(club, own, {"cancel_at_next_billing_date": True, "cancellation_feedback": "unused"})
    before, told = await club.read(own["subscription_id"]), await club.told()
    club.clock.advance(minutes=1)
    assert await patch(club, own, {"cancel_at_next_billing_date": scheduled}) == before
    assert await club.told() == told


async def test_who_scheduled_the_end_stays_when_more_is_said(club: Club) -> None:
    own = await club.subscribe()
    why = SubscriptionChange(cancel_at_next_billing_date=True, feedback="unused", comment="Moving")
    ana = CancelledBy("customer", "ana@example.com", "Ana")
    await update_subscription(club.runtime, club.merchant.tenant, own["subscription_id"], why, ana)
    more = {"cancel_at_next_billing_date": True, "cancellation_feedback": "too_complex"}
    changed = await patch(club, own, more)
    assert changed["cancelled_by"] == {"actor_type": "customer", "email": "ana@example.com", "name": "Ana"}
    assert (changed["cancellation_feedback"], changed["cancellation_comment"]) == ("too_complex", "Moving")
    freed = await patch(club, own, {"cancel_at_next_billing_date": False})
    assert (freed["cancelled_by"], freed["cancellation_feedback"], freed["cancellation_comment"]) == (None, None, None)


async def test_a_pause_moves_the_dates_by_its_length(club: Club) -> None:
    own = await club.subscribe()
    club.clock.advance(days=5)
    paused = await patch(club, own, {"status": "paused"})
    assert paused["status"] == "paused" and paused["paused_at"] is not None
    assert (await patch(club, own, {"status": "paused"}, 409))["code"] == "SUBSCRIPTION_ALREADY_PAUSED"
    await club.work(days=40)
    assert len(await club.payments(own["subscription_id"])) == 1
    resumed = await patch(club, own, {"status": "active"})
    assert (resumed["status"], resumed["paused_at"]) == ("active", None)
    assert resumed["next_billing_date"].startswith("2026-05-24") and resumed["expires_at"].startswith("2046-04-23")
    assert (await patch(club, own, {"status": "active"}, 422))["code"] == "SUBSCRIPTION_NOT_PAUSED"
    told = (await club.told())[3:]
    assert told == ["subscription.paused", "subscription.updated", "subscription.unpaused", "subscription.updated"]


@pytest.mark.parametrize("scheduled", [True, False])
async def test_a_resumption_schedules_or_revokes_the_cancellation_with_it(club: Club, *, scheduled: bool) -> None:
    own = await club.subscribe()
    await patch(club, own, {"cancel_at_next_billing_date": not scheduled})
    await patch(club, own, {"status": "paused"})
    before = len(await club.told())
    resumed = await patch(club, own, {"status": "active", "cancel_at_next_billing_date": scheduled})
    assert (resumed["status"], resumed["cancel_at_next_billing_date"]) == ("active", scheduled)
    assert (await club.told())[before:] == ["subscription.unpaused", "subscription.updated"]
    await club.work(days=32)
    assert (await club.read(own["subscription_id"]))["status"] == ("cancelled" if scheduled else "active")
    assert len(await club.payments(own["subscription_id"])) == (1 if scheduled else 2)
    await club.books_agree()


async def test_a_term_is_only_extended(club: Club) -> None:
    product_id = await club.product(subscription_period_count=1, subscription_period_interval="Year")
    own = await club.subscribe(product_id)
    changed = await patch(club, own, {"subscription_period_count": 2})
    assert changed["expires_at"].startswith("2028-03-14")
    for body in ({"subscription_period_count": 1}, {"subscription_period_count": 21}):
        assert (await patch(club, own, body, 422))["code"] == "INVALID_REQUEST_PARAMETERS"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"pause": True}, "INVALID_REQUEST_PARAMETERS"),
        ({"status": "on_hold"}, "INVALID_REQUEST_PARAMETERS"),
        ({"status": "paused", "metadata": {}}, "INVALID_REQUEST_PARAMETERS"),
        ({"status": "active", "metadata": {}}, "INVALID_REQUEST_PARAMETERS"),
        ({"cancellation_feedback": "unused"}, "INVALID_REQUEST_PARAMETERS"),
        ({"next_billing_date": "2026-03-14T15:00:00Z"}, "INVALID_REQUEST_PARAMETERS"),
        ({"next_billing_date": "2050-03-14T15:00:00Z"}, "INVALID_REQUEST_PARAMETERS"),
        ({"subscription_period_interval": "Year"}, "INVALID_REQUEST_PARAMETERS"),
        ({"disable_on_demand": {"next_billing_date": "2026-05-01T00:00:00Z"}}, "SUBSCRIPTION_NOT_ON_DEMAND"),
        ({"credit_entitlement_cart": [{"credit_entitlement_id": "c"}]}, "UNSUPPORTED_ACTION"),
        ({"customer_name": " "}, "INVALID_REQUEST_BODY"),
        ({"tax_id": "nonsense", "billing": {"country": "DE"}}, "INVALID_TAX_ID"),
    ],
)
async def test_what_is_refused_changes_nothing(club: Club, body: dict[str, Any], code: str) -> None:
    own = await club.subscribe()
    assert (await patch(club, own, body, 422))["code"] == code
    assert await club.read(own["subscription_id"]) == own and len(await club.told()) == 3


async def test_what_waits_for_its_first_payment_cannot_be_paused_or_cancelled(club: Club) -> None:
    made = await club.request(await club.product())
    assert (await patch(club, made, {"status": "paused"}, 422))["code"] == "SUBSCRIPTION_NOT_ELIGIBLE_FOR_PAUSE"
    assert (await patch(club, made, {"status": "cancelled"}, 422))["code"] == "SUBSCRIPTION_INACTIVE"


async def test_a_resume_that_only_takes_a_cancellation_back(club: Club) -> None:
    """What WooCommerce sends to resume (contract, "Clients")."""
    own = await club.subscribe()
    await patch(club, own, {"cancel_at_next_billing_date": True})
    changed = await patch(club, own, {"status": "active", "cancel_at_next_billing_date": False})
    assert (changed["status"], changed["cancel_at_next_billing_date"]) == ("active", False)


async def test_on_demand_is_charged_when_asked(club: Club) -> None:
    own = await club.subscribe(on_demand={"mandate_only": True})
    path = f"/subscriptions/{own['subscription_id']}/charge"
    club.clock.advance(minutes=1)
    body = {"product_price": 1234, "metadata": {"ride": "9"}, "product_description": "Ride 9"}
    made = await club.call("POST", path, body)
    payment = await club.call("GET", f"/payments/{made['payment_id']}")
    assert (payment["status"], payment["total_amount"], payment["charge_type"]) == ("succeeded", 1234, "on_demand")
    assert (payment["metadata"], payment["service_periods"]) == ({"ride": "9"}, [])
    assert (await club.told())[-1] == "payment.succeeded"
    await patch(club, own, {"cancel_at_next_billing_date": True})
    refused = await club.call("POST", path, {"product_price": 1}, 422)
    assert refused["code"] == "CHARGE_NOT_ALLOWED_FOR_SCHEDULED_CANCELLATION"
    await patch(club, own, {"cancel_at_next_billing_date": False})
    ended = await patch(club, own, {"disable_on_demand": {"next_billing_date": "2026-05-01T00:00:00Z"}})
    assert ended["on_demand"] is False
    assert (await club.call("POST", path, {"product_price": 1}, 422))["code"] == "SUBSCRIPTION_NOT_ON_DEMAND"
    await club.work(days=50)
    assert (await club.payments(own["subscription_id"]))[-1]["total_amount"] == 3000
    await club.books_agree()


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"allow_customer_credits_usage": None},
        {"allow_customer_credits_purchase": None, "allow_customer_credits_usage": False},
    ],
)
async def test_how_a_balance_is_used_may_be_left_open(club: Club, config: dict[str, bool | None] | None) -> None:
    own = await club.subscribe(on_demand={"mandate_only": True})
    body = {"product_price": 500, "customer_balance_config": config}
    made = await club.call("POST", f"/subscriptions/{own['subscription_id']}/charge", body)
    assert (await club.call("GET", f"/payments/{made['payment_id']}"))["total_amount"] == 500


async def test_a_declined_charge_leaves_it_active_and_what_has_ended_is_not_charged(club: Club) -> None:
    own = await club.subscribe(number=RENEWALS_FAIL, on_demand={"mandate_only": True})
    path = f"/subscriptions/{own['subscription_id']}/charge"
    await club.call("POST", path, {"product_price": 500})
    assert (await club.read(own["subscription_id"]))["status"] == "active"
    assert (await club.told())[-1] == "payment.failed"
    await club.call("POST", path, {"product_price": 500})  # it may be tried again
    await patch(club, own, {"status": "cancelled"})
    assert (await club.call("POST", path, {"product_price": 500}, 422))["code"] == "SUBSCRIPTION_INACTIVE"


async def test_an_expired_one_is_not_charged(club: Club) -> None:
    product_id = await club.product(subscription_period_count=1, subscription_period_interval="Month")
    own = await club.subscribe(product_id, on_demand={"mandate_only": True})
    await club.work(days=40)
    path = f"/subscriptions/{own['subscription_id']}/charge"
    assert (await club.call("POST", path, {"product_price": 500}, 422))["code"] == "SUBSCRIPTION_EXPIRED"


async def test_another_saved_method_is_used_from_now_on(club: Club) -> None:
    own = await club.subscribe()
    method = await other_card(club, own)
    path = f"/subscriptions/{own['subscription_id']}/update-payment-method"
    before = len(await club.told())
    answer = await club.call("POST", path, {"type": "existing", "payment_method_id": method})
    assert answer == {"payment_id": None, "payment_link": None, "client_secret": None, "expires_on": None}
    assert (await club.read(own["subscription_id"]))["payment_method_id"] == method
    assert (await club.told())[before:] == ["subscription.update_payment_method", "subscription.updated"]
    missing = {"payment_method": {"type": "existing", "payment_method_id": "pm_no"}}
    assert (await club.call("POST", path, missing, 404))["code"] == "NOT_FOUND"
    path = f"/customers/{own['customer']['customer_id']}/payment-methods/{method}"
    assert (await club.call("DELETE", path, status=409))["code"] == "UNSUPPORTED_ACTION"


async def test_a_new_card_is_given_on_a_page_for_nothing(club: Club) -> None:
    own = await club.subscribe()
    path = f"/subscriptions/{own['subscription_id']}/update-payment-method"
    only_unknown = {"type": "new", "allowed_payment_method_types": ["sunbit"]}
    assert (await club.call("POST", path, only_unknown, 422))["code"] == "NO_ELIGIBLE_PAYMENT_METHODS"
    new = {"type": "new", "return_url": "https://shop.example/done"}
    made = await club.call("POST", path, new | {"allowed_payment_method_types": ["sunbit", "credit"]})
    payment = await club.call("GET", f"/payments/{made['payment_id']}")
    assert (payment["total_amount"], payment["is_update_payment_method"], payment["charge_type"]) == (0, True, None)
    await club.pay(made, "5555555555554444")
    changed = await club.read(own["subscription_id"])
    assert changed["payment_method_id"] not in (None, own["payment_method_id"])
    assert (await club.told())[-2:] == ["subscription.update_payment_method", "subscription.updated"]
    await club.work(days=31)
    assert (await club.payments(own["subscription_id"]))[-1]["card_last_four"] == "4444"


@pytest.mark.parametrize("by_page", [True, False])
async def test_a_new_method_pays_what_is_owed(club: Club, by_page: bool) -> None:
    own = await club.subscribe(number=RENEWALS_FAIL)
    await club.work(days=31)
    path = f"/subscriptions/{own['subscription_id']}/update-payment-method"
    if by_page:
        made = await club.call("POST", path, {"type": "new"})
        club.clock.advance(minutes=1)
        await club.pay(made, GOOD_CARD)
    else:
        method = await other_card(club, own)
        await club.call("POST", path, {"type": "existing", "payment_method_id": method})
    back = await club.read(own["subscription_id"])
    assert (back["status"], back["payment_method_id"] != own["payment_method_id"]) == ("active", True)
    assert back["next_billing_date"].startswith("2026-05-14")
    assert (await club.told())[-5:] == [
        "payment.succeeded",
        "subscription.update_payment_method",
        "subscription.active",
        "subscription.renewed",
        "subscription.updated",
    ]
    await club.books_agree()


async def test_a_page_that_nobody_pays_leaves_what_is_owed(club: Club) -> None:
    own = await club.subscribe(number=RENEWALS_FAIL)
    await club.work(days=31)
    path = f"/subscriptions/{own['subscription_id']}/update-payment-method"
    made = await club.call("POST", path, {"type": "new"})
    await club.pay(made, "4000000000000002")
    await club.work(days=2)
    assert (await club.read(own["subscription_id"]))["status"] == "on_hold"
    await club.pay(await club.call("POST", path, {"type": "new"}))
    assert (await club.read(own["subscription_id"]))["status"] == "active"


async def test_a_failed_renewal_is_sent_again_by_hand(club: Club) -> None:
    own = await club.subscribe(number=RENEWALS_FAIL)
    await club.work(days=31)
    failed = next(each for each in await club.payments(own["subscription_id"]) if each["status"] == "failed")
    path = f"/payments/{failed['payment_id']}/retry"
    state = await club.call("GET", path)
    assert (state["can_retry"], state["sends_allowed"], state["sends_used"], state["reason"]) == (True, 10, 0, None)
    assert (state["automatic_retry_number"], state["automatic_retry_total"]) == (None, None), "none is queued"
    for sends in range(1, 11):
        club.clock.advance(minutes=1)
        made = await club.call("POST", path)
        assert (made["retry_attempt"], made["sends_used"], made["status"]) == (sends, sends, "failed")
        assert made["retry_available_at"] is None
    refused = await club.call("POST", path, status=422)
    assert refused["code"] == "SUBSCRIPTION_PAYMENT_RETRY_LIMIT_EXCEEDED"
    paid = (await club.payments(own["subscription_id"]))[0]["payment_id"]
    assert (await club.call("GET", f"/payments/{paid}/retry"))["reason"] == "UNSUPPORTED_ACTION"
    assert (await club.call("POST", f"/payments/{paid}/retry", status=422))["code"] == "UNSUPPORTED_ACTION"


async def test_usage_and_credits_are_empty_in_shape(club: Club) -> None:
    own = await club.subscribe()
    path = f"/subscriptions/{own['subscription_id']}"
    assert await club.call("GET", f"{path}/usage-history?start_date=2026-01-01T00:00:00Z") == {"items": []}
    empty = {"subscription_id": own["subscription_id"], "items": []}
    assert await club.call("GET", f"{path}/credit-usage") == empty


async def test_nobody_else_changes_it(club: Club, other_merchant: Merchant) -> None:
    own = await club.subscribe()
    path = f"/subscriptions/{own['subscription_id']}"
    for client in (other_merchant.client, club.merchant.live_client):
        assert (await client.patch(path, json={"status": "cancelled"})).status_code == 404
        assert (await client.post(f"{path}/charge", json={"product_price": 1})).status_code == 404
        method = {"type": "new"}
        assert (await client.post(f"{path}/update-payment-method", json=method)).status_code == 404
        for place in ("usage-history", "credit-usage"):
            assert (await client.get(f"{path}/{place}")).status_code == 404
    assert await club.read(own["subscription_id"]) == own


async def test_a_date_before_the_paid_period_counts_as_now_and_at_its_very_beginning_as_none(club: Club) -> None:
    """In test mode, where the last five minutes are tolerated; a renewal then begins a period of its own."""
    own = await club.subscribe()
    path, begun = f"/subscriptions/{own['subscription_id']}", {"next_billing_date": own["previous_billing_date"]}
    before = await dump(club.runtime)
    refused = await club.call("PATCH", path, begun, status=422)
    assert refused["code"] == "INVALID_REQUEST_PARAMETERS" and "next_billing_date" in refused["message"]
    assert await dump(club.runtime) == before
    club.clock.advance(minutes=2)
    now = club.clock.now().isoformat().replace("+00:00", "Z")
    assert (await club.call("PATCH", path, begun))["next_billing_date"] == now
    await club.work()
    assert [each["status"] for each in await club.payments(own["subscription_id"])] == ["succeeded", "succeeded"]
    renewed = await club.read(own["subscription_id"])
    assert (renewed["status"], renewed["previous_billing_date"]) == ("active", now)
    await club.books_agree()


async def test_what_was_cancelled_cannot_be_paused(club: Club) -> None:
    own = await club.subscribe()
    await patch(club, own, {"status": "cancelled"})
    cancelled = await club.read(own["subscription_id"])
    assert (await patch(club, own, {"status": "paused"}, 422))["code"] == "SUBSCRIPTION_NOT_ELIGIBLE_FOR_PAUSE"
    assert await club.read(own["subscription_id"]) == cancelled
