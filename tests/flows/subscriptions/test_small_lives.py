"""Lives at prices around the smallest charge: whatever happens, what was paid is what cycles cost, to the unit."""

import random

import pytest

from api.subscriptions.subscribing import Club
from flows.subscriptions.small_lives import SmallLife
from nicobar.core.payments.payment import Declined, Outcome
from nicobar.processors.base import ChargeRequest
from nicobar.processors.simulator.simulator import Simulator
from shop import Shop


@pytest.mark.parametrize("group", range(3))
async def test_what_was_paid_is_what_cycles_cost(
    club: Club, shop: Shop, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    """With declines, retries, pages, changes of every mode, codes, add-ons, and prices with and without the tax."""
    await shop.settings(tax="table", seller_country="DE", renewal_retry_days="10", grace_period_days="3")
    await shop.rates({"JPY": "150", "EUR": "0.9"})
    draw, charge = random.Random(group), Simulator.charge  # noqa: S311 - lives want to repeat
    odds = 0.0

    async def maybe(self: Simulator, request: ChargeRequest) -> Outcome:
        if not request.customer_present and draw.random() < odds:
            return Declined(draw.choice(["STOLEN_CARD", "INSUFFICIENT_FUNDS"]), "no")
        return await charge(self, request)

    monkeypatch.setattr(Simulator, "charge", maybe)
    met: set[str] = set()
    for number in range(8):
        odds = 0
        life = SmallLife(club, draw, "JPY" if number % 3 == 2 else "USD")
        await life.begin(number)
        for _ in range(12):
            if (await life.read()).status in ("cancelled", "expired"):
                break
            odds = draw.choice([0, 0, 0.5, 1])
            await life.step()
        await club.books_agree()
        met |= life.met
        await club.merchant.client.patch(f"/subscriptions/{life.subscription_id}", json={"status": "cancelled"})
        club.clock.advance(days=1)
    assert met == {"carried", "credit", "arrears"}
