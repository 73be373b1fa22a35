"""Pages on which what a subscription owes can be paid: a lost one stands in nobody's way, and none lengthens grace."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from api.subscriptions.subscribing import GOOD_CARD, RENEWALS_FAIL, Club
from due_work import run_due
from nicobar.flows.payments.expire_payments import expire_payments
from orders import dump
from shop import Shop

CHALLENGED = "4000002760003184"


async def overdue(club: Club) -> tuple[dict[str, Any], str]:
    """Return a subscription whose renewal was declined, and the path that changes its method."""
    own = await club.subscribe(number=RENEWALS_FAIL)
    await club.work(days=31)
    club.clock.advance(seconds=1)  # payments are in the order in which they were made
    return own, f"/subscriptions/{own['subscription_id']}/update-payment-method"


def page_of(made: dict[str, Any]) -> str:
    link: str = made["payment_link"]
    return "/" + link.rpartition("/")[2]


async def totals(club: Club, own: dict[str, Any]) -> list[tuple[str, int]]:
    await expire_payments(club.runtime)
    return [(each["status"], each["total_amount"]) for each in await club.payments(own["subscription_id"])]


async def test_another_page_takes_the_place_of_the_first(club: Club) -> None:
    own, path = await overdue(club)
    lost = await club.call("POST", path, {"type": "new", "return_url": "https://shop.example/old"})
    await club.pay(lost, "4000000000000002")
    club.clock.advance(seconds=1)
    found = await club.call("POST", path, {"type": "new", "return_url": "https://shop.example/new"})
    assert found["payment_id"] != lost["payment_id"] and found["client_secret"] != lost["client_secret"]
    assert (await club.browser.get(page_of(lost))).status_code == 410
    assert (await club.read(own["subscription_id"]))["status"] == "on_hold"
    await club.pay(found)
    assert (await club.read(own["subscription_id"]))["status"] == "active"
    assert await totals(club, own) == [("succeeded", 3000), ("failed", 3000), ("failed", 3000), ("succeeded", 3000)]
    await club.books_agree()


async def test_a_page_that_nobody_looked_at_is_cancelled(club: Club) -> None:
    own, path = await overdue(club)
    await club.call("POST", path, {"type": "new"})
    club.clock.advance(seconds=1)
    await club.pay(await club.call("POST", path, {"type": "new"}))
    assert await totals(club, own) == [("succeeded", 3000), ("failed", 3000), ("cancelled", 3000), ("succeeded", 3000)]
    await club.books_agree()


@pytest.mark.parametrize("number", [GOOD_CARD, RENEWALS_FAIL])
async def test_a_saved_card_takes_the_place_of_a_page(club: Club, number: str) -> None:
    own, path = await overdue(club)
    customer = {"customer_id": own["customer"]["customer_id"]}
    other = await club.subscribe(number=number, customer=customer, trial_period_days=90)
    club.clock.advance(seconds=1)
    lost = await club.call("POST", path, {"type": "new"})
    club.clock.advance(seconds=1)
    await club.call("POST", path, {"type": "existing", "payment_method_id": other["payment_method_id"]})
    after, good = await club.read(own["subscription_id"]), number == GOOD_CARD
    assert (after["status"], after["payment_method_id"]) == (
        "active" if good else "on_hold",
        other["payment_method_id"],
    )
    assert (await club.browser.get(page_of(lost))).status_code == 410
    assert await totals(club, own) == [
        ("succeeded", 3000),
        ("failed", 3000),
        ("cancelled", 3000),
        ("succeeded" if good else "failed", 3000),
    ]
    await club.books_agree()


@pytest.mark.parametrize("declined", [False, True])
@pytest.mark.parametrize("works", [False, True])
async def test_a_retry_by_hand_takes_the_place_of_a_page(club: Club, declined: bool, works: bool) -> None:
    """Whoever opened the page and went away stands in nobody's way; nor does who tried a card there in vain."""
    own = await club.subscribe(metadata={"nicobar_scenario": f"renewal_decline:1:INSUFFICIENT_FUNDS:{2 - works}"})
    await club.work(days=31)
    failed = (await club.payments(own["subscription_id"]))[-1]["payment_id"]
    club.clock.advance(seconds=1)
    lost = await club.call("POST", f"/subscriptions/{own['subscription_id']}/update-payment-method", {"type": "new"})
    if declined:
        await club.pay(lost, "4000000000000002")
        failed = lost["payment_id"]
    club.clock.advance(seconds=1)
    state = await club.call("GET", f"/payments/{failed}/retry")
    assert (state["can_retry"], state["reason"]) == (True, None)
    made = await club.call("POST", f"/payments/{failed}/retry")
    end, status = ("succeeded", "active") if works else ("failed", "on_hold")
    assert (made["status"], made["sends_used"]) == (end, 1)
    assert (await club.read(own["subscription_id"]))["status"] == status
    assert (await club.browser.get(page_of(lost))).status_code == 410
    left = ("failed" if declined else "cancelled", 3000)
    assert await totals(club, own) == [("succeeded", 3000), ("failed", 3000), left, (end, 3000)]
    await club.books_agree()


async def test_no_retry_joins_somebody_who_is_paying(club: Club) -> None:
    own, path = await overdue(club)
    failed = (await club.payments(own["subscription_id"]))[-1]["payment_id"]
    await club.pay(await club.call("POST", path, {"type": "new"}), CHALLENGED)
    before = await dump(club.runtime)
    assert (await club.call("GET", f"/payments/{failed}/retry"))["reason"] == "PREVIOUS_PAYMENT_PENDING"
    assert (await club.call("POST", f"/payments/{failed}/retry", status=409))["code"] == "PREVIOUS_PAYMENT_PENDING"
    assert await dump(club.runtime) == before


@pytest.mark.parametrize("kind", ["new", "existing"])
async def test_a_page_on_which_somebody_pays_stays(club: Club, kind: str) -> None:
    own, path = await overdue(club)
    made = await club.call("POST", path, {"type": "new"})
    await club.pay(made, CHALLENGED)
    body = {"type": kind} | ({"payment_method_id": own["payment_method_id"]} if kind == "existing" else {})
    before = await dump(club.runtime)
    assert (await club.call("POST", path, body, 409))["code"] == "PREVIOUS_PAYMENT_PENDING"
    assert await dump(club.runtime) == before
    assert (await club.call("GET", f"/payments/{made['payment_id']}"))["status"] == "requires_customer_action"


async def test_a_refused_request_leaves_the_page(club: Club) -> None:
    own, path = await overdue(club)
    made = await club.call("POST", path, {"type": "new"})
    for body, status in (
        ({"type": "existing", "payment_method_id": "pm_nobodys"}, 404),
        ({"type": "new", "allowed_payment_method_types": ["sofort"]}, 422),
    ):
        await club.call("POST", path, body, status)
    await club.pay(made)
    assert (await club.read(own["subscription_id"]))["status"] == "active"


async def test_many_requests_at_once_leave_one_page(club: Club) -> None:
    own, path = await overdue(club)
    asked = [club.merchant.client.post(path, json={"type": "new"}) for _ in range(5)]
    answers = [answer for answer in await asyncio.gather(*asked) if answer.status_code == 200]
    pages = [(await club.browser.get(page_of(answer.json()))).status_code for answer in answers]
    assert sorted(pages) == [200, *[410] * (len(pages) - 1)]
    await club.work(days=2)
    assert await club.counted("subscription_charges WHERE state = 'open'") == 0
    assert (await club.read(own["subscription_id"]))["status"] == "on_hold"
    await club.books_agree()


@pytest.mark.parametrize("ends", ["on_hold", "cancel"])
async def test_a_page_does_not_lengthen_the_grace_period(club: Club, shop: Shop, ends: str) -> None:
    await shop.settings(grace_period_days="3", grace_period_end=ends)
    own, path = await overdue(club)
    (told,) = await club.bodies("subscription.past_due")
    moment = datetime.fromisoformat(told["past_due_ends_at"])
    await club.work(seconds=(moment - club.clock.now()).total_seconds() - 60)
    made = await club.call("POST", path, {"type": "new"})
    await club.work(seconds=59)
    assert (await club.read(own["subscription_id"]))["status"] == "past_due"
    await club.work(seconds=1)
    after = await club.read(own["subscription_id"])
    if ends == "cancel":
        assert (after["status"], after["cancelled_at"]) == ("cancelled", told["past_due_ends_at"])
        assert (await club.browser.get(page_of(made))).status_code == 410
        await expire_payments(club.runtime)
        assert (await club.call("GET", f"/payments/{made['payment_id']}"))["status"] == "cancelled"
    else:
        assert (after["status"], (await club.told())[-1]) == ("on_hold", "subscription.on_hold")
        await club.pay(made)
        assert (await club.read(own["subscription_id"]))["status"] == "active"
    await club.books_agree()


async def test_who_pays_in_time_is_waited_for(club: Club, shop: Shop) -> None:
    await shop.settings(grace_period_days="3", grace_period_end="cancel")
    own, path = await overdue(club)
    await club.work(days=2, hours=23)
    made = await club.call("POST", path, {"type": "new"})
    await club.pay(made, CHALLENGED)
    club.clock.advance(hours=2)
    await run_due(club.runtime)
    assert (await club.read(own["subscription_id"]))["status"] == "past_due"
