"""A cancellation while something is owed or being charged: nothing is taken for what has ended."""

from typing import Any

import pytest

from api.subscriptions.subscribing import RENEWALS_FAIL, Club
from nicobar.flows.payments.expire_payments import expire_payments
from nicobar.flows.upkeep.sweep import sweep
from nicobar.processors.simulator.simulator import Simulator


async def overdue(club: Club) -> tuple[dict[str, Any], str]:
    """Return a subscription that is on hold, and the path of the page on which what is owed can be paid."""
    own = await club.subscribe(number=RENEWALS_FAIL)
    await club.work(days=31)
    path = f"/subscriptions/{own['subscription_id']}"
    assert (await club.call("GET", path))["status"] == "on_hold"
    club.clock.advance(seconds=1)  # payments are in the order in which they were made
    made = await club.call("POST", f"{path}/update-payment-method", {"type": "new"})
    return own, "/" + made["payment_link"].rpartition("/")[2]


async def test_a_cancellation_ends_the_link_for_what_is_owed(club: Club) -> None:
    own, page = await overdue(club)
    cancelled = await club.call("PATCH", f"/subscriptions/{own['subscription_id']}", {"status": "cancelled"})
    assert cancelled["status"] == "cancelled"
    assert (await club.browser.get(page)).status_code == 410
    await expire_payments(club.runtime)
    await club.work(days=40)
    found = await club.payments(own["subscription_id"])
    assert [(each["status"], each["total_amount"]) for each in found] == [
        ("succeeded", 3000),
        ("failed", 3000),
        ("cancelled", 3000),
    ]
    assert (await club.read(own["subscription_id"]))["status"] == "cancelled"
    await club.books_agree()


async def test_nobody_cancels_while_a_charge_is_under_way(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    own = await club.subscribe()
    path, whole = f"/subscriptions/{own['subscription_id']}", Simulator.charge

    async def broken(self: Simulator, request: object) -> object:
        await whole(self, request)  # type: ignore[arg-type]
        raise ConnectionResetError

    monkeypatch.setattr(Simulator, "charge", broken)
    await club.work(days=31)
    monkeypatch.undo()
    before = await club.read(own["subscription_id"])
    refused = await club.call("PATCH", path, {"status": "cancelled"}, status=409)
    assert refused["code"] == "PREVIOUS_PAYMENT_PENDING"
    assert await club.read(own["subscription_id"]) == before
    club.clock.advance(days=1)
    await sweep(club.runtime)
    assert (await club.call("PATCH", path, {"status": "cancelled"}))["status"] == "cancelled"
    assert [each["status"] for each in await club.payments(own["subscription_id"])] == ["succeeded", "succeeded"]
    await club.books_agree()


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil.example", "https:evil", "https://ex.com\\@evil.com/"])
async def test_a_bad_return_address_opens_no_page(club: Club, url: str) -> None:
    own = await club.subscribe()
    path = f"/subscriptions/{own['subscription_id']}/update-payment-method"
    refused = await club.call("POST", path, {"type": "new", "return_url": url}, status=422)
    assert refused["code"] == "INVALID_REQUEST_BODY"
    assert await club.counted("payments") == 1


@pytest.mark.parametrize("url", ["", "  "])
async def test_a_blank_return_address_is_none(club: Club, url: str) -> None:
    own = await club.subscribe()
    path = f"/subscriptions/{own['subscription_id']}/update-payment-method"
    made = await club.call("POST", path, {"type": "new", "return_url": url})
    async with club.runtime.database.read() as read:
        query = "SELECT options -> 'return_url' IS NULL FROM payments WHERE payment_id = $1"
        assert await read.fetchval(query, made["payment_id"]) is True


async def test_a_change_is_held_to_the_rules_of_the_creation(club: Club) -> None:
    own = await club.subscribe()
    path = f"/subscriptions/{own['subscription_id']}"
    body = {"metadata": {"nicobar_scenario": "bogus_word:1"}}
    refused = await club.call("PATCH", path, body, status=422)
    assert refused["message"].startswith("metadata.nicobar_scenario: ")
    assert await club.read(own["subscription_id"]) == own
