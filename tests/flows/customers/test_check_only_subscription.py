"""Where a customer may have one subscription, nobody pays for two, in whatever tabs and at whatever moment."""

import asyncio
from typing import Any

import pytest

from api.subscriptions.subscribing import GOOD_CARD, Club
from nicobar.core.payments.payment import Outcome
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.upkeep.sweep import sweep
from nicobar.processors.base import ChargeRequest
from nicobar.processors.simulator.simulator import Simulator
from orders import pay, token_of

ASKS_ITS_HOLDER = "4000002500003155"


async def one_each(club: Club) -> None:
    await change_setting(club.runtime, club.merchant.tenant, "multiple_subscriptions", "false")


def page(made: dict[str, Any]) -> str:
    return f"/{made['payment_link'].rpartition('/')[2]}"


async def statuses(club: Club, *made: dict[str, Any]) -> list[str]:
    return [(await club.read(each["subscription_id"]))["status"] for each in made]


async def test_of_two_pages_one_is_paid(club: Club) -> None:
    await one_each(club)
    product_id = await club.product()
    one, other = await club.request(product_id), await club.request(product_id)
    await club.pay(one)
    told = await club.told()
    refused = await pay(club.browser, page(other), number=GOOD_CARD)
    assert refused.status_code == 409 and "This order cannot be made as it is." in refused.text
    assert "Please check your details" in refused.text and "Your order has changed" not in refused.text
    assert await statuses(club, one, other) == ["active", "pending"]
    assert await club.told() == told and await club.counted("attempts") == 1
    await club.call("PATCH", f"/subscriptions/{one['subscription_id']}", {"status": "cancelled"})
    await club.pay(other)  # the first is over, so this is the only one
    assert await statuses(club, one, other) == ["cancelled", "active"]
    await club.books_agree()


async def test_a_page_tells_a_program_no_more_than_a_person(club: Club) -> None:
    """Whoever typed the address of somebody else learns neither their customer id nor that they have a subscription."""
    await one_each(club)
    product_id = await club.product()
    one, other = await club.request(product_id), await club.request(product_id)
    await club.pay(one)
    club.browser.headers["accept"] = "application/json"
    token = token_of(await club.browser.get(page(other), headers={"accept": "text/html"}))
    card = {"number": GOOD_CARD, "expiry": "06/32", "cvc": "123", "name": "Eve", "token": token}
    refused = await club.browser.post(page(other), data=card)
    sentence = "This order cannot be made as it is. Please check your details."
    assert (refused.status_code, refused.json()) == (409, {"code": "UNSUPPORTED_ACTION", "message": sentence})
    assert await statuses(club, one, other) == ["active", "pending"]


async def test_of_two_pages_sent_at_one_moment_one_is_paid(club: Club) -> None:
    await one_each(club)
    product_id = await club.product()
    made = [await club.request(product_id) for _ in range(4)]
    answers = await asyncio.gather(*[pay(club.browser, page(each), number=GOOD_CARD) for each in made])
    assert sorted(answer.status_code for answer in answers) == [303, 409, 409, 409]
    assert sorted(await statuses(club, *made)) == ["active", "pending", "pending", "pending"]
    assert await club.counted("attempts") == 1
    await club.books_agree()


async def test_a_bank_that_asks_in_one_tab_is_left_for_another(club: Club) -> None:
    await one_each(club)
    product_id = await club.product()
    one, other = await club.request(product_id), await club.request(product_id)
    assert (await pay(club.browser, page(one), number=ASKS_ITS_HOLDER)).status_code == 303
    await club.pay(other)
    assert await statuses(club, one, other) == ["pending", "active"]
    left = await club.call("GET", f"/payments/{one['payment_id']}")
    assert (left["status"], await club.counted("attempts")) == ("requires_payment_method", 2)
    assert (await pay(club.browser, page(one), number=GOOD_CARD)).status_code == 409
    await club.books_agree()


async def test_a_bank_that_has_the_money_in_one_tab_is_waited_for(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    await one_each(club)
    product_id = await club.product()
    one, other = await club.request(product_id), await club.request(product_id)
    whole = Simulator.charge

    async def broken(self: Simulator, request: ChargeRequest) -> Outcome:
        await whole(self, request)
        raise ConnectionResetError

    monkeypatch.setattr(Simulator, "charge", broken)
    await club.pay(one)
    monkeypatch.undo()
    assert (await pay(club.browser, page(other), number=GOOD_CARD)).status_code == 409
    assert await statuses(club, one, other) == ["pending", "pending"] and await club.counted("attempts") == 1
    club.clock.advance(minutes=2)
    await sweep(club.runtime)
    assert await statuses(club, one, other) == ["active", "pending"]
    await club.books_agree()


async def test_a_declined_page_keeps_nobody_waiting(club: Club) -> None:
    await one_each(club)
    product_id = await club.product()
    one, other = await club.request(product_id), await club.request(product_id)
    await pay(club.browser, page(one), number="4000000000000002")
    await club.pay(other)
    assert await statuses(club, one, other) == ["pending", "active"]


@pytest.mark.parametrize("free", [False, True])
async def test_of_two_requests_at_one_moment_one_starts(club: Club, *, free: bool) -> None:
    """A saved card is charged in the request, and what is free begins with it."""
    await one_each(club)
    first = await club.subscribe()
    await club.call("PATCH", f"/subscriptions/{first['subscription_id']}", {"status": "cancelled"})
    trial = {"trial_period_days": 14, "trial_payment_method_optional": True} if free else {}
    method = {} if free else {"payment_method_id": first["payment_method_id"]}
    body = {
        "billing": {"country": "US"},
        "customer": {"customer_id": first["customer"]["customer_id"]},
        "product_id": await club.product(**trial),
        "quantity": 1,
        **method,
    }
    asked = [club.merchant.client.post("/subscriptions", json=body) for _ in range(4)]
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    refused = {answer.json()["code"] for answer in answers if answer.status_code == 409}
    assert refused == {"CUSTOMER_HAS_EXISTING_SUBSCRIPTION"}
    assert await club.counted("subscriptions") == 2 and await club.counted("payments") == 2
    await club.books_agree()


async def test_customers_keep_nobody_else_waiting(club: Club) -> None:
    await one_each(club)
    product_id = await club.product()
    one = await club.request(product_id)
    other = await club.request(product_id, customer={"email": "bo@example.com", "name": "Bo"})
    await asyncio.gather(club.pay(one), club.pay(other))
    assert await statuses(club, one, other) == ["active", "active"]


async def test_a_renewal_of_the_only_one_is_charged(club: Club) -> None:
    await one_each(club)
    own = await club.subscribe()
    await club.work(days=31)
    assert [each["status"] for each in await club.payments(own["subscription_id"])] == ["succeeded", "succeeded"]
