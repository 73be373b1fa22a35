"""Subscriptions sold in a session and by static links: one payment, and what begins with it (contract, section 9)."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from dodopayments import AsyncDodoPayments
from starlette.types import ASGIApp

from api.sessions.opening import ADDRESS
from api.subscriptions.subscribing import RENEWALS_FAIL, Club, addon_of, open_session
from harness import PUBLIC_URL, START, FakeClock
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.customers.erase_customer import erase_customer
from orders import dump, pay
from pages.session.filling import send
from shop import Shop, item

TYPED = {"email": "kim@example.com", "customer_name": "Kim Park", "country": "US"}
PLACE = {"street": "1 Main St", "zipcode": "94601", "city": "Oakland", "state": "CA"}
ANA = {"email": "ana@example.com", "name": "Ana"}
CONFIRMED = {"confirm": True, "billing_address": ADDRESS, "customer": ANA}


async def to_payment(club: Club, page: httpx.Response, **typed: str) -> str:
    """Fill in what the page asks for; return the path of the payment's page."""
    onward = await send(club.browser, page, **(TYPED | PLACE | typed))
    assert onward.status_code == 303, onward.text
    return onward.headers["location"]


async def payment_of(club: Club, page: httpx.Response) -> dict[str, Any]:
    status = await club.call("GET", f"/checkouts/{page.url.path.rpartition('/')[2]}")
    found: dict[str, Any] = await club.call("GET", f"/payments/{status['payment_id']}")
    return found


async def buy(club: Club, *items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Go from a new session to a paid order, and return its payment."""
    page = await open_session(club, *items, **fields)
    assert (await pay(club.browser, await to_payment(club, page))).status_code == 303
    return await payment_of(club, page)


async def test_one_subscription_and_what_is_sold_once_are_one_payment(club: Club, shop: Shop) -> None:
    plan, guide = await club.product(), await shop.product(1000)
    seat = await addon_of(club, plan)
    page = await open_session(
        club,
        item(guide),
        item(plan, 2) | {"addons": [{"addon_id": seat, "quantity": 3}]},
        metadata={"order": "7"},
        custom_fields=[{"key": "size", "label": "Size", "field_type": "text"}],
        return_url="https://shop.example/thanks",
    )
    link = await to_payment(club, page, custom_0="Large")
    waiting = await payment_of(club, page)
    (subscription_id,) = waiting["subscription_ids"]
    assert (waiting["subscription_id"], waiting["is_multi_subscription"]) == (subscription_id, False)
    assert (waiting["charge_type"], waiting["total_amount"]) == ("new", 1000 + 6000 + 1500)
    assert waiting["service_periods"] == []
    pending = await club.read(subscription_id)
    assert (pending["status"], pending["quantity"], pending["metadata"]) == ("pending", 2, {"order": "7"})
    assert pending["addons"] == [{"addon_id": seat, "quantity": 3}]
    assert pending["custom_field_responses"] == [{"key": "size", "value": "Large"}]
    assert pending["recurring_pre_tax_amount"] == 7500
    assert await club.told() == []
    await pay(club.browser, link)
    own, paid = await club.read(subscription_id), await payment_of(club, page)
    assert (own["status"], own["has_payment_method"], paid["status"]) == ("active", True, "succeeded")
    assert paid["checkout_session_id"] == page.url.path.rpartition("/")[2]
    assert paid["service_periods"] == [
        {
            "subscription_id": subscription_id,
            "starts_at": own["previous_billing_date"],
            "ends_at": own["next_billing_date"],
            "proration_factor": "1",
        }
    ]
    assert await club.told() == ["payment.succeeded", "subscription.active", "subscription.renewed"]
    receipt = await club.browser.get(link)
    assert f"payment_id={paid['payment_id']}" in receipt.text
    assert f"status=active&amp;subscription_id={subscription_id}" in receipt.text
    await club.work(days=31)
    assert [each["total_amount"] for each in await club.payments(subscription_id)] == [8500, 7500]
    await club.books_agree()


async def test_several_subscriptions_begin_with_one_payment_and_are_renewed_each_on_its_own(club: Club) -> None:
    monthly, yearly = await club.product(), await club.product(price=20_000, payment_frequency_interval="Year")
    seat = await addon_of(club, monthly, yearly)
    addons = {"addons": [{"addon_id": seat, "quantity": 1}]}
    paid = await buy(club, item(monthly) | addons, item(yearly) | addons, return_url="https://shop.example/thanks")
    first, second = paid["subscription_ids"]
    assert (paid["subscription_id"], paid["is_multi_subscription"], paid["charge_type"]) == (None, True, "new")
    assert paid["total_amount"] == 3500 + 20_500
    owns = [await club.read(each) for each in (first, second)]
    assert [(own["status"], own["product_id"]) for own in owns] == [("active", monthly), ("active", yearly)]
    assert [own["recurring_pre_tax_amount"] for own in owns] == [3500, 20_500]
    assert [period["ends_at"] for period in paid["service_periods"]] == [own["next_billing_date"] for own in owns]
    told = ["subscription.active", "subscription.renewed"]
    assert await club.told() == ["payment.succeeded", *told, *told]
    (event,) = await club.bodies("payment.succeeded")
    assert event["service_periods"] == paid["service_periods"]
    await club.work(days=31)
    assert [each["total_amount"] for each in await club.payments(first)] == [24_000, 3500]
    assert [each["total_amount"] for each in await club.payments(second)] == [24_000]
    (_, renewal) = await club.payments(first)
    assert (renewal["subscription_id"], renewal["is_multi_subscription"]) == (first, False)
    await club.books_agree()


async def test_a_refund_of_one_plan_does_not_lower_what_another_of_the_same_payment_gives_back(club: Club) -> None:
    days = {"payment_frequency_count": 30, "payment_frequency_interval": "Day"}
    plan, other = await club.product(**days), await club.product(**days)
    seat = await addon_of(club, plan, other)
    addons = {"addons": [{"addon_id": seat, "quantity": 1}]}
    paid = await buy(club, item(plan) | addons, item(other) | addons)
    body = {"payment_id": paid["payment_id"], "items": [{"item_id": plan, "amount": 1000}]}
    assert (await club.call("POST", "/refunds", body))["amount"] == 1000
    club.clock.advance(days=15)
    wanted = {"product_id": await club.product(price=8000, **days), "quantity": 1}
    dues = []
    for each in paid["subscription_ids"]:
        path = f"/subscriptions/{each}/change-plan/preview"
        found = await club.call("POST", path, wanted | {"proration_billing_mode": "prorated_immediately"})
        dues.append(found["immediate_charge"]["summary"]["total_amount"])
    assert dues == [4000 - (3500 - 1000) // 2, 4000 - 3500 // 2]


async def test_a_session_sets_the_trial_and_the_mandate_is_the_first_success(club: Club) -> None:
    plan = await club.product()
    paid = await buy(club, item(plan), subscription_data={"trial_period_days": 14})
    own = await club.read(paid["subscription_id"])
    assert (paid["total_amount"], paid["status"], own["status"]) == (0, "succeeded", "active")
    assert (own["trial_period_days"], own["has_payment_method"]) == (14, True)
    assert own["next_billing_date"] == (START + timedelta(days=14)).isoformat().replace("+00:00", "Z")
    assert await club.told() == ["payment.succeeded", "subscription.active"]
    await club.work(days=14)
    assert [each["total_amount"] for each in await club.payments(own["subscription_id"])] == [0, 3000]


async def test_a_free_trial_beside_another_subscription_costs_nothing_today(club: Club, shop: Shop) -> None:
    tried, plan = await club.product(price=5000, trial_period_days=7), await club.product()
    await shop.percentage("HALF", 5000)
    paid = await buy(club, item(tried), item(plan), discount_codes=["HALF"])
    assert paid["total_amount"] == 1500
    await club.work(days=7)
    on_trial, _ = paid["subscription_ids"]
    assert [each["total_amount"] for each in await club.payments(on_trial)] == [1500, 2500]
    await club.books_agree()


async def test_on_demand_is_sold_alone(club: Club, shop: Shop) -> None:
    plan, other, guide = await club.product(), await club.product(), await shop.product(1000)
    seat = await addon_of(club, plan)
    terms = {"subscription_data": {"on_demand": {"mandate_only": False, "product_price": 700}}}
    before = await dump(club.runtime)
    for cart, code in (
        ([item(plan), item(guide)], "ONE_TIME_PRODUCTS_NOT_ALLOWED_FOR_ON_DEMAND"),
        ([item(plan), item(other)], "UNSUPPORTED_ACTION"),
        ([item(plan) | {"addons": [{"addon_id": seat, "quantity": 1}]}], "ADDONS_NOT_ALLOWED_FOR_ON_DEMAND"),
    ):
        refused = await club.call("POST", "/checkouts", {"product_cart": cart} | terms, status=422)
        assert (refused["code"], refused["message"].startswith("product_cart")) == (code, True)
    assert await dump(club.runtime) == before
    paid = await buy(club, item(plan), **terms)
    own = await club.read(paid["subscription_id"])
    assert (paid["total_amount"], own["on_demand"], own["status"]) == (700, True, "active")
    assert (await buy(club, item(guide), **terms))["subscription_ids"] == []


async def test_a_code_holds_for_its_cycles(club: Club, shop: Shop) -> None:
    await shop.percentage("TWICE", 5000, subscription_cycles=2)
    paid = await buy(club, item(await club.product()), discount_codes=["TWICE"])
    own = await club.read(paid["subscription_id"])
    assert (paid["total_amount"], own["discount_cycles_remaining"]) == (1500, 1)
    await club.work(days=31)
    await club.work(days=31)
    assert [each["total_amount"] for each in await club.payments(own["subscription_id"])] == [1500, 1500, 3000]
    assert len(paid["discounts"]) == 1 and own["recurring_pre_tax_amount"] == 3000


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"quantity": 0}, "INVALID_REQUEST_BODY", "product_cart[1].quantity"),
        ({"addons": [{"addon_id": "adn_none", "quantity": 1}]}, "MISSING_ADDON_IDS", "product_cart[1].addons"),
        ({"product_id": "pdt_none"}, "NOT_FOUND", "product_cart[1].product_id"),
    ],
)
async def test_what_is_wrong_is_named_as_the_session_has_it(
    club: Club, shop: Shop, change: dict[str, Any], code: str, path: str
) -> None:
    cart = [item(await shop.product()), item(await club.product()) | change]
    before = await dump(club.runtime)
    refused = await club.merchant.client.post("/checkouts", json={"product_cart": cart})
    assert (refused.json()["code"], refused.json()["message"].split(":")[0]) == (code, path)
    assert await dump(club.runtime) == before


@pytest.mark.parametrize("path", ["/checkouts", "/checkouts/preview"])
@pytest.mark.parametrize("confirmed", [{}, CONFIRMED])
@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"addons": [{"addon_id": "adn_none", "quantity": 1}]}, "MISSING_ADDON_IDS", "addons"),
        ({"addons": [{"addon_id": "adn_none", "quantity": 1}] * 2}, "DUPLICATE_ADDON_IDS_IN_REQUEST", "addons"),
        ({"product_id": "pdt_none"}, "NOT_FOUND", "product_id"),
    ],
)
async def test_the_addons_before_it_do_not_shift_what_is_wrong(
    club: Club, shop: Shop, path: str, confirmed: dict[str, Any], change: dict[str, Any], code: str, field: str
) -> None:
    plan = await club.product()
    seat = await addon_of(club, plan)
    first = item(plan) | {"addons": [{"addon_id": seat, "quantity": 2}]}
    cart = [first, item(await club.product()) | change, item(await shop.product())]
    refused = await club.merchant.client.post(path, json={"product_cart": cart} | confirmed)
    assert (refused.json()["code"], refused.json()["message"].split(":")[0]) == (code, f"product_cart[1].{field}")


async def test_what_cannot_be_sold_together(club: Club, shop: Shop) -> None:
    plan, guide = await club.product(), await shop.product(500, pay_what_you_want=True)
    seat = await addon_of(club, plan)
    addons = [{"addon_id": seat, "quantity": 1}]
    paid_trial = await club.product(trial_period_days=7, trial_amount=500)
    tried = await club.product(trial_period_days=7)
    await addon_of(club, tried)
    await club.call("PATCH", f"/products/{tried}", {"addons": [seat]})
    await shop.percentage("HALF", 5000)
    before = await dump(club.runtime)
    carts: list[tuple[dict[str, Any], str, str]] = [
        ({"product_cart": [item(plan), item(plan)]}, "INVALID_REQUEST_BODY", "product_cart[1].product_id"),
        ({"product_cart": [item(guide) | {"addons": addons}]}, "MISSING_ADDON_IDS", "product_cart[0].addons"),
        (
            {"product_cart": [item(plan) | {"addons": addons * 2}]},
            "DUPLICATE_ADDON_IDS_IN_REQUEST",
            "product_cart[0].addons",
        ),
        (
            {"product_cart": [item(plan) | {"addons": addons}, item(tried) | {"addons": addons}]},
            "DUPLICATE_ADDON_IDS_IN_REQUEST",
            "product_cart",
        ),
        (
            {"product_cart": [item(guide, amount=499), item(plan)]},
            "REQUEST_AMOUNT_BELOW_MINIMUM",
            "product_cart[0].amount",
        ),
        (
            {"product_cart": [item(paid_trial), item(plan)], "discount_codes": ["HALF"]},
            "UNSUPPORTED_ACTION",
            "discount_codes",
        ),
    ]
    for body, code, path in carts:
        refused = await club.merchant.client.post("/checkouts", json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, code), refused.text
        assert refused.json()["message"].split(":")[0] == path
    assert await dump(club.runtime) == before


async def test_the_buyer_names_a_price_beside_a_subscription(club: Club, shop: Shop) -> None:
    gift, plan = await shop.product(500, pay_what_you_want=True), await club.product()
    seat = await addon_of(club, plan)
    page = await open_session(club, item(plan) | {"addons": [{"addon_id": seat, "quantity": 1}]}, item(gift))
    assert 'name="amount_1"' in page.text
    await to_payment(club, page, amount_1="12.50")
    assert (await payment_of(club, page))["total_amount"] == 3000 + 500 + 1250


async def test_a_second_subscription_is_refused_where_the_setting_says_so(club: Club, clock: FakeClock) -> None:
    plan = await club.product()
    own = await club.read((await buy(club, item(plan)))["subscription_id"])
    await change_setting(club.runtime, club.merchant.tenant, "multiple_subscriptions", "false")
    clock.advance(seconds=5)
    known = {"customer": {"customer_id": own["customer"]["customer_id"]}}
    body = {"product_cart": [item(plan)]}
    before = await dump(club.runtime)
    refused = await club.call("POST", "/checkouts", body | known, status=409)
    assert refused["code"] == "CUSTOMER_HAS_EXISTING_SUBSCRIPTION"
    assert await dump(club.runtime) == before
    page = await open_session(club, item(plan))
    before = await dump(club.runtime)
    assert (await send(club.browser, page, **TYPED, **PLACE)).status_code == 422
    assert await dump(club.runtime) == before


async def test_a_double_click_is_one_order_and_one_success(club: Club) -> None:
    page = await open_session(club, item(await club.product()))
    both = await asyncio.gather(*(send(club.browser, page, **TYPED, **PLACE) for _ in range(2)))
    assert {each.status_code for each in both} == {303}
    link = (await club.browser.get(page.url)).headers["location"]
    await asyncio.gather(*(pay(club.browser, link) for _ in range(2)))
    assert (await club.counted("payments"), await club.counted("subscriptions")) == (1, 1)
    assert await club.told() == ["payment.succeeded", "subscription.active", "subscription.renewed"]
    await club.books_agree()


async def test_a_lost_answer_makes_one_session_and_one_subscription(club: Club) -> None:
    body = {"product_cart": [item(await club.product())]} | CONFIRMED
    headers = {"idempotency-key": "order-17"}
    first = await club.merchant.client.post("/checkouts", json=body, headers=headers)
    again = await club.merchant.client.post("/checkouts", json=body, headers=headers)
    assert (first.status_code, again.content, again.headers["idempotent-replayed"]) == (200, first.content, "true")
    unkeyed = {"x-stainless-retry-count": "1"}
    lost = await club.merchant.client.post("/checkouts", json=body)
    retried = await club.merchant.client.post("/checkouts", json=body, headers=unkeyed)
    assert retried.content == lost.content != first.content
    assert (await club.counted("checkout_sessions"), await club.counted("subscriptions")) == (2, 2)


async def test_a_confirmed_session_charges_a_saved_method(club: Club) -> None:
    first = await club.subscribe()
    customer = {"customer_id": first["customer"]["customer_id"]}
    body = {"product_cart": [item(first["product_id"])], "payment_method_id": first["payment_method_id"]}
    made = await club.call("POST", "/checkouts", body | CONFIRMED | {"customer": customer})
    payment = await club.call("GET", f"/payments/{made['payment_id']}")
    assert (made["checkout_url"], payment["status"], payment["charge_type"]) == (None, "succeeded", "new")
    assert (await club.read(payment["subscription_id"]))["status"] == "active"
    assert [each["subscription_id"] for each in payment["service_periods"]] == payment["subscription_ids"]


async def test_a_declined_card_may_be_tried_again_until_the_session_ends(club: Club) -> None:
    page = await open_session(club, item(await club.product()))
    link = await to_payment(club, page)
    await pay(club.browser, link, number="4000000000000002")
    (subscription_id,) = (await payment_of(club, page))["subscription_ids"]
    assert (await club.read(subscription_id))["status"] == "pending"
    await club.work(days=2)
    assert (await club.read(subscription_id))["status"] == "failed"
    assert (await club.told())[-1] == "subscription.failed"


async def test_a_static_link_sells_a_subscription(club: Club) -> None:
    plan = await club.product()
    opened = await club.browser.get(f"/buy/{plan}?quantity=2&email=kim%40example.com&metadata_from=mail")
    assert opened.status_code == 303
    page = await club.browser.get(opened.headers["location"])
    assert (await pay(club.browser, await to_payment(club, page), number=RENEWALS_FAIL)).status_code == 303
    paid = await payment_of(club, page)
    own = await club.read(paid["subscription_id"])
    assert (paid["total_amount"], own["quantity"], own["status"]) == (6000, 2, "active")
    assert own["metadata"] == paid["metadata"] == {"from": "mail"}
    await club.work(days=31)
    assert (await club.read(own["subscription_id"]))["status"] == "on_hold"


async def test_the_official_library_sells_subscriptions(club: Club, app: ASGIApp) -> None:
    transport = httpx.ASGITransport(app=app)
    async with (
        httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http,
        AsyncDodoPayments(
            bearer_token=club.merchant.key,
            base_url=PUBLIC_URL,
            http_client=http,
            max_retries=0,
            _strict_response_validation=True,
        ) as sdk,
    ):
        plan, other = await club.product(trial_period_days=3), await club.product(price=900)
        created = await sdk.checkout_sessions.create(
            product_cart=[{"product_id": plan, "quantity": 1}, {"product_id": other, "quantity": 2}],
            subscription_data={"trial_period_days": 14},
            metadata={"order": "7"},
        )
        assert created.checkout_url is not None
        page = await club.browser.get(created.checkout_url)
        await pay(club.browser, await to_payment(club, page))
        status = await sdk.checkout_sessions.retrieve(created.session_id)
        payment = await sdk.payments.retrieve(status.payment_id or "")
        assert (payment.is_multi_subscription, payment.charge_type, payment.total_amount) == (True, "new", 0)
        for subscription_id in payment.subscription_ids:
            own = await sdk.subscriptions.retrieve(subscription_id)
            assert (own.status, own.trial_period_days, own.metadata) == ("active", 14, {"order": "7"})


async def test_answers_to_the_questions_of_a_session_are_erased_with_the_person(club: Club) -> None:
    questions = [{"key": "note", "label": "Note", "field_type": "text"}]
    page = await open_session(club, item(await club.product()), custom_fields=questions)
    await pay(club.browser, await to_payment(club, page, custom_0="Greenhorn"))
    own = await club.read((await payment_of(club, page))["subscription_id"])
    assert own["custom_field_responses"] == [{"key": "note", "value": "Greenhorn"}]
    await club.call("PATCH", f"/subscriptions/{own['subscription_id']}", {"status": "cancelled"})
    club.clock.advance(minutes=1)
    await erase_customer(club.runtime, club.merchant.tenant, own["customer"]["customer_id"])
    assert (await club.read(own["subscription_id"]))["custom_field_responses"] is None
    assert "greenhorn" not in (await dump(club.runtime)).lower()
    await club.books_agree()
