"""Renewals that go wrong by scenario, over HTTP: a month of each takes one request to the clock of test mode."""

from typing import Any

import pytest
from starlette.types import ASGIApp

from api.subscriptions.subscribing import RENEWALS_FAIL, Club, open_club
from harness import FakeClock, Merchant
from nicobar.flows.business.change_setting import change_setting
from nicobar.flows.runtime import Runtime

pytestmark = pytest.mark.usefixtures("settled")


@pytest.fixture
async def club(merchant: Merchant, app: ASGIApp, runtime: Runtime, clock: FakeClock) -> Club:
    """A club that tries soft declines again for two days."""
    await change_setting(runtime, merchant.tenant, "renewal_retry_days", "2")
    clock.advance(seconds=10)
    return open_club(merchant, app, runtime, clock)


async def monthly(club: Club, scenario: str, number: str = "4242424242424242") -> str:
    """Start a subscription of 30 days a cycle whose charges have a scenario; return its id."""
    product_id = await club.product(payment_frequency_count=30, payment_frequency_interval="Day")
    made = await club.request(product_id, metadata={"nicobar_scenario": scenario})
    await club.pay(made, number)
    assert (await club.read(made["subscription_id"]))["status"] == "active"
    return str(made["subscription_id"])


async def advance(club: Club, days: int) -> list[str]:
    """Let days pass; return what happened."""
    moved = await club.call("POST", "/test/clock", {"advance": f"{days}d"})
    return [each["type"] for each in moved["happened"]]


async def charged(club: Club, subscription_id: str) -> list[tuple[Any, ...]]:
    """Return status, failure code and try of every renewal."""
    return [
        (each["status"], each["error_code"], each["retry_attempt"])
        for each in await club.payments(subscription_id)
        if each["charge_type"] == "renewal"
    ]


PAID = ("succeeded", None, 0)
RENEWED = ["payment.succeeded", "subscription.renewed", "subscription.updated"]


async def pay_on_page(club: Club, subscription_id: str, number: str = "4242424242424242") -> None:
    """Let the customer pay what is owed, with another card or the same."""
    club.clock.advance(seconds=1)
    made = await club.call("POST", f"/subscriptions/{subscription_id}/update-payment-method", {"type": "new"})
    await club.pay(made, number)
    assert (await club.read(subscription_id))["status"] == "active"


async def test_a_soft_decline_of_the_second_renewal_is_tried_again_and_paid(club: Club) -> None:
    own = await monthly(club, "renewal_decline:2:INSUFFICIENT_FUNDS")
    assert await advance(club, 30) == RENEWED
    assert await advance(club, 31) == [
        "payment.failed",
        "subscription.on_hold",
        "payment.succeeded",
        "subscription.active",
        "subscription.renewed",
        "subscription.updated",
    ]
    assert await advance(club, 30) == RENEWED
    assert await charged(club, own) == [
        PAID,
        ("failed", "INSUFFICIENT_FUNDS", 0),
        ("succeeded", None, 1),
        PAID,
    ]
    await club.books_agree()


async def test_a_soft_decline_of_every_try_ends_on_hold(club: Club) -> None:
    own = await monthly(club, "renewal_decline:1:INSUFFICIENT_FUNDS:9")
    await advance(club, 60)
    assert await charged(club, own) == [("failed", "INSUFFICIENT_FUNDS", number) for number in range(3)]
    assert (await club.read(own))["status"] == "on_hold"
    await pay_on_page(club, own)
    assert (await charged(club, own))[-1][:2] == ("succeeded", None)
    assert await advance(club, 30) == RENEWED


async def test_a_hard_decline_is_not_tried_again_by_itself(club: Club) -> None:
    own = await monthly(club, "renewal_decline:1:LOST_CARD")
    assert await advance(club, 60) == ["payment.failed", "subscription.on_hold"]
    (failed,) = [each for each in await club.payments(own) if each["status"] == "failed"]
    assert (failed["error_code"], failed["payment_method"]) == ("LOST_CARD", "card")
    retried = await club.call("POST", f"/payments/{failed['payment_id']}/retry")
    assert (await club.call("GET", f"/payments/{retried['payment_id']}"))["status"] == "succeeded"
    assert await charged(club, own) == [("failed", "LOST_CARD", 0), ("succeeded", None, 1)]
    assert (await club.read(own))["status"] == "active"


async def test_a_mandate_that_has_expired_is_given_again_on_a_page(club: Club) -> None:
    own = await monthly(club, "mandate_expires:2")
    await advance(club, 60)
    assert await charged(club, own) == [PAID, PAID]
    await advance(club, 33)
    expired = [("failed", "MANDATE_INVALID", number) for number in range(3)]
    assert await charged(club, own) == [PAID, PAID, *expired]
    saved = (await club.read(own))["payment_method_id"]
    body = {"type": "existing", "payment_method_id": saved}
    await club.call("POST", f"/subscriptions/{own}/update-payment-method", body)
    assert (await club.read(own))["status"] == "on_hold", "the customer was not there"
    await pay_on_page(club, own)
    assert await advance(club, 30) == RENEWED
    await club.books_agree()


async def test_a_card_that_the_bank_replaces_goes_on_paying(club: Club) -> None:
    own = await monthly(club, "card_replaced:2")
    await advance(club, 90)
    payments = await club.payments(own)
    assert [each["card_last_four"] for each in payments] == ["4242", "4242", "4243", "4243"]
    assert await charged(club, own) == [PAID, PAID, PAID]
    assert len({each["payment_method_id"] for each in payments}) == 1
    customer = payments[0]["customer"]["customer_id"]
    (saved,) = (await club.call("GET", f"/customers/{customer}/payment-methods"))["items"]
    assert (saved["card"]["last4_digits"], saved["payment_method_id"]) == ("4243", payments[0]["payment_method_id"])


async def test_the_published_card_fails_every_renewal_and_another_takes_its_place(club: Club) -> None:
    own = await monthly(club, "seed:1", RENEWALS_FAIL)
    failures = ["payment.failed", "subscription.on_hold", "payment.failed", "payment.failed"]
    assert await advance(club, 60) == failures, "the first try, and two more as the setting says"
    await pay_on_page(club, own)
    assert await advance(club, 30) == RENEWED
    assert (await club.payments(own))[-1]["card_last_four"] == "4242"


async def test_a_word_that_is_misspelt_starts_nothing(club: Club) -> None:
    product_id = await club.product()
    body = {
        "billing": {"country": "US"},
        "customer": {"email": "ana@example.com", "name": "Ana"},
        "product_id": product_id,
        "quantity": 1,
        "metadata": {"nicobar_scenario": "renewal_decline:second"},
    }
    refused = await club.call("POST", "/subscriptions", body, 422)
    assert refused["code"] == "INVALID_REQUEST_BODY" and "renewal_decline" in refused["message"]
    assert await club.counted("subscriptions") == 0
