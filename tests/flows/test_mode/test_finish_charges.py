"""A charge whose program died while the clock stood is gone on with, as it would have gone."""

from datetime import timedelta

import pytest

from api.subscriptions.subscribing import Club
from nicobar.core.payments.payment import Outcome
from nicobar.core.test_mode.clock_goal import ClockGoal
from nicobar.flows.test_mode.advance_clock import advance_clock
from nicobar.processors.base import ChargeRequest
from nicobar.processors.simulator.simulator import Simulator


class Died(BaseException):
    """The program ends before its request has left."""


pytestmark = pytest.mark.usefixtures("settled")


@pytest.mark.parametrize(
    ("scenario", "renewed"),
    [
        ("renewal_decline:2:LOST_CARD", ("failed", "LOST_CARD", "4242")),
        ("mandate_expires:1", ("failed", "MANDATE_INVALID", "4242")),
        ("card_replaced:2", ("succeeded", None, "4243")),
    ],
)
async def test_a_renewal_ends_as_its_scenario_says(
    club: Club, monkeypatch: pytest.MonkeyPatch, scenario: str, renewed: tuple[str, str | None, str]
) -> None:
    own = await club.subscribe(metadata={"nicobar_scenario": scenario})
    tenant, month = club.merchant.tenant, ClockGoal(by=timedelta(days=31))
    await advance_clock(club.runtime, tenant, month)

    async def die(_simulator: Simulator, _request: ChargeRequest) -> Outcome:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(Simulator, "charge", die)
        with pytest.raises(Died):
            await advance_clock(club.runtime, tenant, month)
    statuses = [each["status"] for each in await club.payments(own["subscription_id"])]
    assert statuses == ["succeeded", "succeeded", "processing"]
    move = await advance_clock(club.runtime, tenant, month)
    assert move.is_resumed
    renewal = (await club.payments(own["subscription_id"]))[2]
    assert (renewal["status"], renewal["error_code"], renewal["card_last_four"]) == renewed
    await club.books_agree()


async def test_dying_again_while_it_is_gone_on_with_changes_nothing(
    club: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = await club.subscribe()
    tenant, month = club.merchant.tenant, ClockGoal(by=timedelta(days=31))

    async def die(_simulator: Simulator, _request: ChargeRequest) -> Outcome:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(Simulator, "charge", die)
        for _ in range(3):
            with pytest.raises(Died):
                await advance_clock(club.runtime, tenant, month)
    await advance_clock(club.runtime, tenant, month)
    renewal = (await club.payments(own["subscription_id"]))[1]
    assert (renewal["status"], renewal["created_at"]) == ("succeeded", own["next_billing_date"])
    assert renewal["updated_at"] == renewal["created_at"]
