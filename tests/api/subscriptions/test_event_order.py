"""What merchants are told, in which order, and with which keys: the sequences of the contract (webhooks, section 8).

At the start the payment comes first here: the contract has both orders (docs/decisions/0030-subscriptions.md).
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from api.subscriptions.subscribing import RENEWALS_FAIL, Club
from nicobar.flows.business.change_setting import change_setting

BEGUN = ["payment.succeeded", "subscription.active", "subscription.renewed"]
EXTRA = {"payment_id", "past_due_ends_at"}
"""What the data of a subscription's event have beyond GET (contract, webhooks, section 4)."""

Happen = Callable[[Club], Awaitable[None]]


async def _start(club: Club) -> None:
    await club.subscribe()


async def _fail_to_start(club: Club) -> None:
    own = await club.subscribe()
    plan = await club.product()
    customer = {"customer_id": own["customer"]["customer_id"]}
    broken = await club.subscribe(number=RENEWALS_FAIL, customer=customer)
    await club.request(plan, customer=customer, payment_method_id=broken["payment_method_id"], payment_link=False)


async def _begin_a_trial(club: Club) -> None:
    await club.subscribe(await club.product(trial_period_days=14))


async def _begin_a_paid_trial(club: Club) -> None:
    await club.subscribe(await club.product(trial_period_days=14, trial_amount=500))


async def _begin_a_trial_with_what_is_sold_once(club: Club) -> None:
    price = {"type": "one_time_price", "currency": "USD", "price": 500}
    once = await club.call("POST", "/products", {"name": "Setup", "tax_category": "saas", "price": price})
    cart = [{"product_id": once["product_id"], "quantity": 1}]
    await club.subscribe(await club.product(trial_period_days=14), one_time_product_cart=cart)


async def _begin_a_trial_with_another_plan(club: Club) -> None:
    plans = [await club.product(trial_period_days=14), await club.product()]
    billing = {"country": "US", "state": "NY", "city": "New York", "street": "1 Road", "zipcode": "10118"}
    body = {
        "product_cart": [{"product_id": plan, "quantity": 1} for plan in plans],
        "billing_address": billing,
        "customer": {"email": "ana@example.com", "name": "Ana"},
        "confirm": True,
    }
    made = await club.call("POST", "/checkouts", body)
    await club.pay(await club.call("GET", f"/payments/{made['payment_id']}"))


async def _begin_on_demand_with_a_charge(club: Club) -> None:
    await club.subscribe(on_demand={"mandate_only": False, "product_price": 700})


async def _renew(club: Club) -> None:
    await club.subscribe()
    await club.work(days=31)


async def _pay_after_the_grace(club: Club) -> None:
    await change_setting(club.runtime, club.merchant.tenant, "grace_period_days", "3")
    club.clock.advance(seconds=10)
    own = await club.subscribe(number=RENEWALS_FAIL)
    await club.work(days=31)
    made = await club.call("POST", f"/subscriptions/{own['subscription_id']}/update-payment-method", {"type": "new"})
    await club.pay(made)


async def _fail_to_renew(club: Club) -> None:
    await club.subscribe(number=RENEWALS_FAIL)
    await club.work(days=31)


async def _upgrade(club: Club) -> None:
    own = await club.subscribe()
    club.clock.advance(days=1)
    plan = {"product_id": own["product_id"], "quantity": 2, "proration_billing_mode": "difference_immediately"}
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", plan)


async def _downgrade(club: Club) -> None:
    own = await club.subscribe(quantity=2)
    plan = {"product_id": own["product_id"], "quantity": 1, "proration_billing_mode": "difference_immediately"}
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", plan)


async def _cancel_later(club: Club) -> None:
    own = await club.subscribe()
    await club.call("PATCH", f"/subscriptions/{own['subscription_id']}", {"cancel_at_next_billing_date": True})
    await club.work(days=31)


async def _cancel_now(club: Club) -> None:
    own = await club.subscribe()
    await club.call("PATCH", f"/subscriptions/{own['subscription_id']}", {"status": "cancelled"})


async def _take_another_card(club: Club) -> None:
    own = await club.subscribe()
    made = await club.call("POST", f"/subscriptions/{own['subscription_id']}/update-payment-method", {"type": "new"})
    await club.pay(made, "5555555555554444")


CHANGED = ["subscription.plan_changed", "subscription.updated"]
REPLACED = ["subscription.update_payment_method", "subscription.updated"]
SEQUENCES: list[tuple[Happen, list[str]]] = [
    (_start, BEGUN),
    (_begin_a_trial, BEGUN[:2]),
    (_begin_a_paid_trial, BEGUN),
    (_begin_a_trial_with_what_is_sold_once, BEGUN[:2]),
    (_begin_a_trial_with_another_plan, ["payment.succeeded", "subscription.active", *BEGUN[1:]]),
    (_begin_on_demand_with_a_charge, BEGUN[:2]),
    (_fail_to_start, [*BEGUN, *BEGUN, "payment.failed", "subscription.failed"]),
    (_renew, [*BEGUN, "payment.succeeded", "subscription.renewed", "subscription.updated"]),
    (_fail_to_renew, [*BEGUN, "payment.failed", "subscription.on_hold"]),
    (
        _pay_after_the_grace,
        [
            *BEGUN,
            *("payment.failed", "subscription.past_due"),
            *("payment.succeeded", "subscription.update_payment_method", "subscription.active"),
            *("subscription.renewed", "subscription.updated"),
        ],
    ),
    (_upgrade, [*BEGUN, "payment.succeeded", *CHANGED]),
    (_downgrade, [*BEGUN, *CHANGED]),
    (_cancel_later, [*BEGUN, "subscription.updated", "subscription.cancelled"]),
    (_cancel_now, [*BEGUN, "subscription.cancelled"]),
    (_take_another_card, [*BEGUN, "payment.succeeded", *REPLACED]),
]


@pytest.mark.parametrize(("happen", "told"), SEQUENCES, ids=[happen.__name__.strip("_") for happen, _ in SEQUENCES])
async def test_the_sequence(club: Club, happen: Happen, told: list[str]) -> None:
    await happen(club)
    assert await club.told() == told
    async with club.runtime.database.read() as read:
        rows = await read.fetch("SELECT payload::text AS body FROM events ORDER BY number")
    bodies: list[dict[str, Any]] = [json.loads(row["body"]) for row in rows]
    paid = None
    for body in bodies:
        data = body["data"]
        if body["type"] == "payment.succeeded":
            paid = data["payment_id"]
        if not body["type"].startswith("subscription."):
            continue
        shown = await club.read(data["subscription_id"])
        assert set(data) == {"payload_type"} | set(shown) | EXTRA
        assert data["payment_id"] == (paid if body["type"] == "subscription.renewed" else None)
        assert (data["past_due_ends_at"] is not None) == (data["status"] == "past_due")
    await club.books_agree()
