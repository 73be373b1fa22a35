"""Renewals whose processor does not answer: nothing is charged meanwhile, and nothing twice."""

from datetime import datetime, timedelta

import pytest

from api.subscriptions.subscribing import Club, halfway, plan
from nicobar.flows.upkeep.sweep import sweep
from nicobar.processors.simulator.simulator import Simulator


@pytest.mark.parametrize("charged", [True, False])
async def test_a_renewal_in_doubt_is_asked_about(club: Club, monkeypatch: pytest.MonkeyPatch, charged: bool) -> None:
    own = await club.subscribe()
    whole = Simulator.charge

    async def broken(self: Simulator, request: object) -> object:
        if charged:
            await whole(self, request)  # type: ignore[arg-type]
        raise ConnectionResetError

    monkeypatch.setattr(Simulator, "charge", broken)
    await club.work(days=31)
    monkeypatch.undo()
    waiting = await club.read(own["subscription_id"])
    assert (waiting["status"], waiting["next_billing_date"]) == ("active", own["next_billing_date"])
    path = f"/subscriptions/{own['subscription_id']}"
    for body, status, code in (
        ({"status": "paused"}, 422, "SUBSCRIPTION_NOT_ELIGIBLE_FOR_PAUSE"),
        ({"next_billing_date": "2026-06-01T00:00:00Z"}, 409, "PREVIOUS_PAYMENT_PENDING"),
    ):
        assert (await club.call("PATCH", path, body, status))["code"] == code
    assert await club.read(own["subscription_id"]) == waiting
    await club.work(days=40)
    assert len(await club.payments(own["subscription_id"])) == 2  # nothing else is charged while one is in doubt
    await sweep(club.runtime)
    after = await club.read(own["subscription_id"])
    paid = [each["status"] for each in await club.payments(own["subscription_id"])]
    assert sorted(paid) == (["succeeded", "succeeded"] if charged else ["failed", "succeeded"])
    assert after["status"] == ("active" if charged else "on_hold")
    await club.work()
    expected = 3 if charged else 2  # what was missed meanwhile is caught up, once each
    assert len(await club.payments(own["subscription_id"])) == expected
    await club.books_agree()


@pytest.mark.parametrize("mode", ["full_immediately", "prorated_immediately"])
async def test_a_plan_change_that_is_paid_later_pays_for_the_period_from_then_on(
    club: Club, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """The new cycle begins when it is paid, and so does what the payment says that it is for."""
    own = await halfway(club)
    whole = Simulator.charge

    async def broken(self: Simulator, request: object) -> object:
        await whole(self, request)  # type: ignore[arg-type]
        raise ConnectionResetError

    monkeypatch.setattr(Simulator, "charge", broken)
    body = {"product_id": await plan(club, 8000), "quantity": 1, "proration_billing_mode": mode}
    await club.call("POST", f"/subscriptions/{own['subscription_id']}/change-plan", body)
    monkeypatch.undo()
    begun = (await club.payments(own["subscription_id"]))[-1]
    assert begun["status"] == "processing"
    club.clock.advance(hours=2)
    await sweep(club.runtime)
    paid, after = (await club.payments(own["subscription_id"]))[-1], await club.read(own["subscription_id"])
    assert (paid["status"], after["product_id"]) == ("succeeded", body["product_id"])
    (period,) = paid["service_periods"]
    started = datetime.fromisoformat(period["starts_at"]) - datetime.fromisoformat(begun["created_at"])
    if mode == "full_immediately":
        assert (period["starts_at"], started) == (after["previous_billing_date"], timedelta(hours=2))
    else:
        assert (after["previous_billing_date"], started) == (own["previous_billing_date"], timedelta(0))
    assert period["ends_at"] == after["next_billing_date"]
    told = (await club.bodies("payment.succeeded"))[-1]
    assert told["service_periods"] == paid["service_periods"]
    await club.books_agree()
