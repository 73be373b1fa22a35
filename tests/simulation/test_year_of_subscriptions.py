"""A year of many subscriptions in test mode, 5 % of them with failing cards: each period is paid once, and books agree.

`make prove` does it with 10,000; `NICOBAR_YEAR_SUBSCRIPTIONS` sets how many.
"""

import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from time import perf_counter

import pytest

from api.subscriptions.subscribing import GOOD_CARD, RENEWALS_FAIL, Club
from harness import START
from nicobar.core.test_mode.clock_goal import ClockGoal
from nicobar.flows.test_mode.advance_clock import advance_clock
from proof import PROVING

SUBSCRIPTIONS = int(os.environ.get("NICOBAR_YEAR_SUBSCRIPTIONS", 10_000 if PROVING else 40))


@pytest.mark.proof
@pytest.mark.usefixtures("settled")
async def test_a_year_of_subscriptions(club: Club, record_property: Callable[[str, object], None]) -> None:
    product, failing = await club.product(), SUBSCRIPTIONS // 20
    for number in range(SUBSCRIPTIONS):
        club.clock.advance(seconds=1)
        card = RENEWALS_FAIL if number % 20 == 7 else GOOD_CARD
        await club.subscribe(product, card, customer={"email": f"c{number}@example.com", "name": "C"})
    before = await club.counted("events")
    began = perf_counter()
    move = await advance_clock(club.runtime, club.merchant.tenant, ClockGoal(to=START + timedelta(days=366)))
    seconds = perf_counter() - began
    renewals = (SUBSCRIPTIONS - failing) * 12
    record_property("subscriptions", SUBSCRIPTIONS)
    record_property("renewals a second", round((renewals + failing) / seconds))
    async with club.runtime.database.read() as read:
        states = await read.fetch("SELECT state, count(*) FROM subscription_charges GROUP BY state")
        events = await read.fetch("SELECT type, created_at FROM events ORDER BY number")
        twice = await read.fetch(
            "SELECT subscription_id, starts_at FROM subscription_charges WHERE state = 'paid'"
            " GROUP BY subscription_id, starts_at HAVING count(*) > 1"
        )
        paid = await read.fetch(
            "SELECT count(*) AS periods FROM subscription_charges WHERE state = 'paid' GROUP BY subscription_id"
        )
    assert {row["state"]: row["count"] for row in states} == {"paid": SUBSCRIPTIONS + renewals, "failed": failing}
    assert twice == []
    assert Counter(row["periods"] for row in paid) == {13: SUBSCRIPTIONS - failing, 1: failing}
    assert [row["created_at"] for row in events] == sorted(row["created_at"] for row in events)
    types = Counter(row["type"] for row in events[before:])
    assert (types["subscription.renewed"], types["subscription.on_hold"]) == (renewals, failing)
    assert move.count == len(events) - before
    await club.books_agree()
