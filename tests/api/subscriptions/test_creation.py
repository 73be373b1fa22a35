"""POST /subscriptions: what is stored, what the first payment takes, and when it begins (contract, "Creation")."""

from datetime import timedelta
from typing import Any

import pytest

from api.subscriptions.subscribing import Club, addon_of
from harness import START, Merchant
from nicobar.flows.business.change_setting import change_setting
from orders import dump, token_of

ONCE = {"name": "Setup", "tax_category": "saas", "price": {"type": "one_time_price", "currency": "USD", "price": 500}}
ON_DEMAND = {"mandate_only": True}


async def test_a_subscription_waits_for_its_first_payment(club: Club) -> None:
    product_id = await club.product()
    made = await club.request(product_id, quantity=2, metadata={"seat": "7"})
    assert made["recurring_pre_tax_amount"] == 6000 and made["payment_method_required"] is True
    assert (made["addons"], made["discount_id"], made["discount_ids"], made["trial_amount"]) == ([], None, None, None)
    assert made["metadata"] == {"seat": "7"} and made["one_time_product_cart"] is None
    own = await club.read(made["subscription_id"])
    assert (own["status"], own["quantity"], own["product_id"]) == ("pending", 2, product_id)
    assert own["previous_billing_date"] == own["next_billing_date"] == own["created_at"]
    payment = await club.call("GET", f"/payments/{made['payment_id']}")
    assert (payment["charge_type"], payment["total_amount"], payment["product_cart"]) == ("new", 6000, None)
    assert payment["subscription_id"] == made["subscription_id"]
    assert payment["subscription_ids"] == [made["subscription_id"]] and payment["service_periods"] == []


async def test_the_first_payment_makes_it_active_and_keeps_the_card(club: Club) -> None:
    own = await club.subscribe()
    assert own["status"] == "active" and own["has_payment_method"] is True
    assert own["previous_billing_date"] == "2026-03-14T15:09:26.535897Z"
    assert own["next_billing_date"] == "2026-04-14T15:09:26.535897Z"
    assert own["expires_at"] == "2046-03-14T15:09:26.535897Z"
    saved = await club.call("GET", f"/customers/{own['customer']['customer_id']}/payment-methods")
    assert [each["payment_method_id"] for each in saved["items"]] == [own["payment_method_id"]]
    (payment,) = await club.payments(own["subscription_id"])
    assert payment["service_periods"] == [
        {
            "subscription_id": own["subscription_id"],
            "starts_at": own["previous_billing_date"],
            "ends_at": own["next_billing_date"],
            "proration_factor": "1",
        }
    ]
    assert await club.told() == ["payment.succeeded", "subscription.active", "subscription.renewed"]
    (renewed,) = await club.bodies("subscription.renewed")
    assert renewed["payment_id"] == payment["payment_id"] and renewed["past_due_ends_at"] is None
    (active,) = await club.bodies("subscription.active")
    assert active["payment_id"] is None and active["payload_type"] == "Subscription"
    assert {**own, "payload_type": "Subscription", "past_due_ends_at": None, "payment_id": None} == active
    await club.books_agree()


async def test_a_saved_method_starts_it_at_once(club: Club) -> None:
    first = await club.subscribe()
    customer = {"customer_id": first["customer"]["customer_id"]}
    made = await club.request(
        first["product_id"], customer=customer, payment_method_id=first["payment_method_id"], payment_link=False
    )
    assert (made["payment_link"], made["expires_on"]) == (None, None)
    assert (await club.read(made["subscription_id"]))["status"] == "active"


async def test_a_declined_saved_method_fails_it(club: Club) -> None:
    first = await club.subscribe(number="4000000000000341")
    customer = {"customer_id": first["customer"]["customer_id"]}
    made = await club.request(first["product_id"], customer=customer, payment_method_id=first["payment_method_id"])
    assert (await club.read(made["subscription_id"]))["status"] == "failed"
    assert (await club.told())[-2:] == ["payment.failed", "subscription.failed"]


async def test_a_declined_card_may_be_tried_again_until_the_link_ends(club: Club) -> None:
    made = await club.request(await club.product())
    await club.pay(made, "4000000000000002")
    assert (await club.read(made["subscription_id"]))["status"] == "pending"
    await club.pay(made)
    assert (await club.read(made["subscription_id"]))["status"] == "active"
    given_up = await club.request(await club.product())
    await club.pay(given_up, "4000000000000002")
    await club.work(days=2)
    assert (await club.read(given_up["subscription_id"]))["status"] == "failed"
    assert (await club.told())[-1] == "subscription.failed"


async def test_what_nobody_pays_fails_when_its_link_ends(club: Club) -> None:
    made = await club.request(await club.product())
    await club.work(days=2)
    own = await club.read(made["subscription_id"])
    assert own["status"] == "failed" and own["previous_billing_date"] == own["created_at"]


async def test_a_free_trial_asks_for_a_card_and_takes_nothing(club: Club) -> None:
    product_id = await club.product(trial_period_days=14)
    made = await club.request(product_id)
    assert made["payment_method_required"] is True and made["trial_amount"] is None
    await club.pay(made)
    own = await club.read(made["subscription_id"])
    assert (own["status"], own["trial_period_days"], own["has_payment_method"]) == ("active", 14, True)
    assert own["next_billing_date"] == (START + timedelta(days=14)).isoformat().replace("+00:00", "Z")
    (payment,) = await club.payments(own["subscription_id"])
    assert (payment["total_amount"], payment["charge_type"]) == (0, "new")
    assert await club.told() == ["payment.succeeded", "subscription.active"]
    await club.work(days=14)
    assert [each["total_amount"] for each in await club.payments(own["subscription_id"])] == [0, 3000]


async def test_a_trial_whose_card_is_optional_begins_without_one_and_is_held_when_it_is_over(club: Club) -> None:
    product_id = await club.product(trial_period_days=14, trial_payment_method_optional=True)
    made = await club.request(product_id, payment_link=False)
    assert made["payment_method_required"] is False
    own = await club.read(made["subscription_id"])
    assert (own["status"], own["has_payment_method"]) == ("active", False)
    await club.work(days=14)
    assert (await club.read(made["subscription_id"]))["status"] == "on_hold"
    assert (await club.told())[-1] == "subscription.on_hold"


async def test_a_paid_trial_takes_its_amount_for_each_unit(club: Club) -> None:
    product_id = await club.product(trial_period_days=7, trial_amount=100)
    own = await club.subscribe(product_id, quantity=3)
    assert (own["trial_amount"], own["recurring_pre_tax_amount"]) == (100, 9000)
    await club.work(days=7)
    assert [each["total_amount"] for each in await club.payments(own["subscription_id"])] == [300, 9000]


async def test_a_request_can_shorten_a_trial_to_none(club: Club) -> None:
    own = await club.subscribe(await club.product(trial_period_days=14), trial_period_days=0)
    assert own["trial_period_days"] == 0 and own["next_billing_date"] == "2026-04-14T15:09:26.535897Z"


async def test_what_is_sold_once_is_paid_with_the_first_payment_alone(club: Club) -> None:
    setup = (await club.call("POST", "/products", ONCE))["product_id"]
    made = await club.request(await club.product(), one_time_product_cart=[{"product_id": setup, "quantity": 2}])
    assert made["one_time_product_cart"] == [{"product_id": setup, "quantity": 2}]
    await club.pay(made)
    await club.work(days=31)
    assert [each["total_amount"] for each in await club.payments(made["subscription_id"])] == [4000, 3000]
    await club.books_agree()


async def test_on_demand_starts_with_its_own_price_or_with_none(club: Club) -> None:
    product_id = await club.product()
    priced = await club.subscribe(product_id, on_demand={"mandate_only": False, "product_price": 700})
    free = await club.subscribe(product_id, on_demand={"mandate_only": True})
    assert priced["on_demand"] is free["on_demand"] is True
    for own, total in ((priced, 700), (free, 0)):
        (payment,) = await club.payments(own["subscription_id"])
        assert (payment["total_amount"], payment["service_periods"]) == (total, [])
    await club.work(days=60)
    assert await club.counted("payments") == 2  # nothing is charged by a date


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"product_id": "pdt_unknown"}, "NOT_FOUND"),
        ({"quantity": 0}, "INVALID_REQUEST_BODY"),
        ({"trial_period_days": 10001}, "INVALID_REQUEST_BODY"),
        ({"payment_method_id": "pm_unknown"}, "INVALID_REQUEST_PARAMETERS"),
        ({"addons": [{"addon_id": "adn_1", "quantity": 1}]}, "MISSING_ADDON_IDS"),
        ({"addons": [{"addon_id": "adn_1", "quantity": 1}] * 2}, "DUPLICATE_ADDON_IDS_IN_REQUEST"),
        ({"discount_codes": ["NONE"]}, "INVALID_DISCOUNT_CODE"),
        ({"allowed_payment_method_types": ["sepa"]}, "NO_ELIGIBLE_PAYMENT_METHODS"),
        ({"allowed_payment_method_types": ["sunbit"]}, "NO_ELIGIBLE_PAYMENT_METHODS"),
        (
            {"on_demand": {"mandate_only": True}, "addons": [{"addon_id": "a", "quantity": 1}]},
            "ADDONS_NOT_ALLOWED_FOR_ON_DEMAND",
        ),
        (
            {"on_demand": {"mandate_only": True}, "one_time_product_cart": [{"product_id": "p", "quantity": 1}]},
            "ONE_TIME_PRODUCTS_NOT_ALLOWED_FOR_ON_DEMAND",
        ),
        ({"on_demand": ON_DEMAND, "discount_codes": ["A"]}, "DISCOUNT_NOT_AVAILABLE_FOR_ON_DEMAND"),
        ({"on_demand": ON_DEMAND, "discount_code": "A"}, "DISCOUNT_NOT_AVAILABLE_FOR_ON_DEMAND"),
    ],
)
async def test_what_is_refused_stores_nothing(club: Club, changes: dict[str, Any], code: str) -> None:
    body = {
        "billing": {"country": "US"},
        "customer": {"email": "ana@example.com"},
        "product_id": await club.product(),
        "quantity": 1,
    }
    response = await club.merchant.client.post("/subscriptions", json=body | changes)
    assert response.json()["code"] == code and 400 <= response.status_code < 500
    for table in ("subscriptions", "payments", "customers", "subscription_charges"):
        assert await club.counted(table) == 0


async def test_a_one_time_product_is_no_subscription(club: Club) -> None:
    product_id = (await club.call("POST", "/products", ONCE))["product_id"]
    body = {
        "billing": {"country": "US"},
        "customer": {"email": "a@example.com"},
        "product_id": product_id,
        "quantity": 1,
    }
    assert await club.call("POST", "/subscriptions", body, 422) == {
        "code": "UNSUPPORTED_ACTION",
        "message": f"product_id: Product {product_id} is a one-time product; subscriptions need a recurring price. "
        "POST /payments and POST /checkouts sell one-time products",
    }


def with_once(plan: str, addon: str, *lines: dict[str, Any]) -> dict[str, Any]:
    """Return a request for a plan with one add-on, and with lines that are sold once."""
    return {
        "billing": {"country": "US"},
        "customer": {"email": "a@example.com"},
        "product_id": plan,
        "quantity": 1,
        "addons": [{"addon_id": addon, "quantity": 1}],
        "one_time_product_cart": list(lines),
    }


@pytest.mark.parametrize("what", ["the plan", "a trial", "another plan", "an add-on", "nothing"])
async def test_only_one_time_products_are_sold_once(club: Club, what: str) -> None:
    """What the plan consists of, too: it was charged a second time, at the price that the plan's line has."""
    plan = await club.product(trial_period_days=7 if what == "a trial" else 0)
    seat, other = await addon_of(club, plan), await club.product()
    once = {"the plan": plan, "a trial": plan, "another plan": other, "an add-on": seat, "nothing": "pdt_nobodys"}[what]
    body = with_once(plan, seat, {"product_id": once, "quantity": 1})
    before, unknown = await dump(club.runtime), what in ("an add-on", "nothing")
    refused = await club.call("POST", "/subscriptions", body, 404 if unknown else 422)
    assert refused["code"] == ("NOT_FOUND" if unknown else "UNSUPPORTED_ACTION")
    assert refused["message"].startswith(f"one_time_product_cart[0].product_id: Product {once} ")
    assert await dump(club.runtime) == before


@pytest.mark.parametrize(
    ("what", "code", "blamed"),
    [
        ("no amount", "PAY_AS_YOU_WANT_AMOUNT_REQUIRED", "one_time_product_cart[1].amount: "),
        ("a low amount", "REQUEST_AMOUNT_BELOW_MINIMUM", "one_time_product_cart[1].amount: "),
        ("another brand", "BRAND_MISMATCH", "one_time_product_cart: "),
        ("another currency", "UNSUPPORTED_CURRENCY", "one_time_product_cart: "),
        ("a brand that is off", "BRAND_NOT_ENABLED", "product_id: "),
    ],
)
async def test_a_refusal_names_the_fields_of_the_request(club: Club, what: str, code: str, blamed: str) -> None:
    """The body has no `product_cart`, whose lines are those of the payment."""
    price = {"type": "one_time_price", "currency": "USD", "price": 500, "pay_what_you_want": "amount" in what}
    once: dict[str, Any] = ONCE | {"price": price}
    if what == "another brand":
        once["brand_id"] = (await club.call("POST", "/brands", {"name": "Other"}))["brand_id"]
    if what == "another currency":
        await change_setting(club.runtime, club.merchant.tenant, "adaptive_pricing", "off")
        once["price"] = price | {"currency": "EUR"}
    plan = await club.product()
    seat = await addon_of(club, plan)
    sound, wrong = [(await club.call("POST", "/products", each))["product_id"] for each in (ONCE, once)]
    if what == "a brand that is off":
        async with club.runtime.database.transaction() as tx:
            await tx.execute("UPDATE brands SET enabled = false")
    line = {"product_id": wrong, "quantity": 1} | ({"amount": 499} if what == "a low amount" else {})
    body = with_once(plan, seat, {"product_id": sound, "quantity": 1}, line)
    club.clock.advance(seconds=10)
    before = await dump(club.runtime)
    refused = await club.call("POST", "/subscriptions", body, 422)
    assert refused["code"] == code and refused["message"].startswith(blamed), refused
    assert await dump(club.runtime) == before


async def test_a_refused_currency_of_a_charge_on_demand_is_named(club: Club) -> None:
    terms = {"mandate_only": False, "product_price": 700, "product_currency": "KWD"}
    customer = {"email": "ana@example.com", "name": "Ana"}
    body = {"billing": {"country": "US"}, "customer": customer, "product_id": await club.product(), "quantity": 1}
    before = await dump(club.runtime)
    refused = await club.call("POST", "/subscriptions", body | {"on_demand": terms}, 422)
    assert (refused["code"], refused["message"]) == (
        "UNSUPPORTED_CURRENCY",
        "on_demand.product_currency: Currency Not Supported: KWD",
    )
    assert await dump(club.runtime) == before


async def test_a_session_sells_no_addon_once(club: Club) -> None:
    plan = await club.product()
    seat = await addon_of(club, plan)
    lines = [
        {"product_id": seat, "quantity": 2},
        {"product_id": plan, "quantity": 1, "addons": [{"addon_id": seat, "quantity": 1}]},
    ]
    body = {
        "billing_address": {"country": "US"},
        "product_cart": lines,
    }
    refused = await club.call("POST", "/checkouts/preview", body, 404)
    assert (refused["code"], refused["message"]) == (
        "NOT_FOUND",
        f"product_cart[0].product_id: Product {seat} not found",
    )


async def test_one_live_subscription_a_customer_where_the_setting_says_so(club: Club) -> None:

    await change_setting(club.runtime, club.merchant.tenant, "multiple_subscriptions", "false")
    product_id = await club.product()
    own = await club.subscribe(product_id)
    body = {
        "billing": {"country": "US"},
        "customer": {"customer_id": own["customer"]["customer_id"]},
        "product_id": product_id,
        "quantity": 1,
    }
    refused = await club.call("POST", "/subscriptions", body, 409)
    assert refused["code"] == "CUSTOMER_HAS_EXISTING_SUBSCRIPTION" and await club.counted("subscriptions") == 1


async def test_nobody_else_sees_it(club: Club, other_merchant: Merchant) -> None:
    own = await club.subscribe()
    for client in (other_merchant.client, club.merchant.live_client):
        assert (await client.get(f"/subscriptions/{own['subscription_id']}")).status_code == 404
        assert (await client.get("/subscriptions")).json() == {"items": []}
    refused = await club.call("GET", "/subscriptions/sub_unknown", status=404)
    assert refused["code"] == "NOT_FOUND"


async def test_the_list_is_narrowed(club: Club) -> None:
    product_id = await club.product()
    own = await club.subscribe(product_id)
    club.clock.advance(minutes=1)
    other = await club.request(await club.product(), customer={"email": "bo@example.com", "name": "Bo"})
    listed = (await club.call("GET", "/subscriptions"))["items"]
    assert [each["subscription_id"] for each in listed] == [other["subscription_id"], own["subscription_id"]]
    assert listed[1]["product_name"] == "Club" and listed[1]["discounts"] == []
    assert "addons" not in listed[1] and "expires_at" not in listed[1]
    customer_id = own["customer"]["customer_id"]
    for query in (
        f"customer_id={customer_id}",
        f"product_id={product_id}",
        "status=active",
        "created_at_lte=2026-03-14T15:09:30Z",
    ):
        found = (await club.call("GET", f"/subscriptions?{query}"))["items"]
        assert [each["subscription_id"] for each in found] == [own["subscription_id"]]
    assert (await club.call("GET", "/subscriptions?cancel_at_next_billing_date=true"))["items"] == []
    assert len((await club.call("GET", "/subscriptions?cancel_at_next_billing_date=false"))["items"]) == 2


async def test_the_test_panel_keeps_a_card_that_renewals_are_charged_to(club: Club) -> None:
    made = await club.request(await club.product())
    path = "/" + made["payment_link"].rpartition("/")[2]
    token = token_of(await club.browser.get(path))
    assert (await club.browser.post(path, data={"token": token, "panel": "pay"})).status_code == 303
    assert (await club.read(made["subscription_id"]))["payment_method_id"].startswith("pm_")
    await club.work(days=31)
    assert [each["status"] for each in await club.payments(made["subscription_id"])] == ["succeeded", "succeeded"]
