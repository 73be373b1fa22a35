"""A retry by hand while everything else may pay the same period, too: it is paid once, and no payment is lost."""

import asyncio
import random

import httpx
import pytest

from api.subscriptions.subscribing import GOOD_CARD, Club
from due_work import run_due
from nicobar.flows.payments.expire_payments import expire_payments
from orders import token_of
from shop import Shop

CYCLE = 3000


@pytest.mark.parametrize("seed", range(6))
async def test_a_period_is_paid_once(club: Club, shop: Shop, seed: int) -> None:
    """The customer sends the form of the page while the merchant retries twice and the worker retries, too."""
    draw = random.Random(seed)  # noqa: S311 - a race wants to repeat
    await shop.settings(renewal_retry_days="10")
    scenario = {"nicobar_scenario": "renewal_decline:1:INSUFFICIENT_FUNDS:1"}
    own = await club.subscribe(metadata=scenario)
    await club.work(days=31)
    path = f"/subscriptions/{own['subscription_id']}"
    failed = next(each for each in await club.payments(own["subscription_id"]) if each["status"] == "failed")
    club.clock.advance(seconds=1)
    made = await club.call("POST", f"{path}/update-payment-method", {"type": "new"})
    link = "/" + made["payment_link"].rpartition("/")[2]
    token = token_of(await club.browser.get(link))
    card = {"number": GOOD_CARD, "expiry": "06 / 32", "cvc": "123", "name": "Ana Lima", "token": token}
    club.clock.advance(days=draw.choice([0, 2]), seconds=1)  # after a day the page is over and the next try is due

    async def later(action: str) -> httpx.Response | int | None:
        await asyncio.sleep(draw.random() * 0.02)
        match action:
            case "retry":
                return await club.merchant.client.post(f"/payments/{failed['payment_id']}/retry")
            case "pay":
                return await club.browser.post(link, data=card)
            case "page":
                return await club.merchant.client.post(f"{path}/update-payment-method", json={"type": "new"})
            case _:
                return await run_due(club.runtime)

    actions = ["retry", "retry", "pay", "work", "work", *draw.choices(["retry", "pay", "page", "work"], k=2)]
    draw.shuffle(actions)
    await asyncio.gather(*map(later, actions))
    for _ in range(3):
        await club.work(hours=9)
    await expire_payments(club.runtime)
    paid = [each for each in await club.payments(own["subscription_id"]) if each["status"] == "succeeded"]
    assert [each["total_amount"] for each in paid] == [CYCLE, CYCLE]
    after = await club.read(own["subscription_id"])
    assert after["status"] == "active"
    assert await club.counted("subscription_charges WHERE state = 'credited'") == 0
    assert await club.counted("subscription_charges WHERE state = 'open'") == 0
    await club.books_agree()
