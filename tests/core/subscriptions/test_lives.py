"""Generated lives: whatever happens in whatever order, periods follow one another and the money adds up."""

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

import proof
from core.subscriptions.lives import MINIMUM, Life
from core.subscriptions.plans import moment, plan
from nicobar.core.subscriptions.calendar import Span, after
from nicobar.core.subscriptions.lifecycle import RecoveryRules
from nicobar.core.subscriptions.proration import ProrationMode
from nicobar.core.subscriptions.subscription import FINAL, OnFailure

MODES: list[ProrationMode] = [
    "prorated_immediately",
    "prorated_immediately_keep_cycle",
    "difference_immediately",
    "full_immediately",
    "do_not_bill",
]
PRICES = [1, 20, 30, 99, 1000, 2000, 3000, 4999, 8000, 31_337]
FREQUENCIES = [Span(1, "Month"), Span(3, "Month"), Span(1, "Year"), Span(7, "Day"), Span(2, "Week")]
STARTS = [
    "2026-01-31T10:11:12",
    "2028-02-29T00:00:00",
    "2027-11-30T23:59:59",
    "2026-03-14T15:09:26",
    "2027-12-31T12:00:00",
]


def check(life: Life) -> None:
    """What holds in every moment of every life."""
    own = life.subscription
    assert own.credit >= 0 and 0 <= own.carried < MINIMUM
    assert sum(life.charged) + own.carried == sum(life.costs) + own.credit
    assert own.period_price == life.current_cost
    if own.status == "active":
        assert own.next_billing_date == after(own.anchor, own.plan.frequency, own.number)
    for before, following in zip(life.periods, life.periods[1:], strict=False):
        assert before.starts_at <= before.ends_at
        assert before.ends_at == following.starts_at
    starts = [begun for begun, _ in life.renewals]
    assert len(starts) == len(set(starts))


def live(seed: int) -> Life:
    """Live one life of random events, and check it after each."""
    draw = random.Random(seed)  # noqa: S311 - lives want to repeat
    frequency = draw.choice(FREQUENCIES)
    term = draw.choice([Span(4, "Month"), Span(1, "Year"), Span(3, "Year")])
    own = plan(draw.choice(PRICES), *draw.choices(PRICES, k=draw.randint(0, 2)), frequency=frequency, term=term)
    grace = timedelta(days=draw.choice([0, 0, 3, 30]))
    rules = RecoveryRules(grace, draw.random() < 0.5, timedelta(days=draw.choice([0, 13, 30])))
    life = Life.begin(own, moment(draw.choice(STARTS)), rules, draw.choice([0, 0, 7, 14]))
    check(life)
    for _ in range(draw.randint(1, 14)):
        status = life.subscription.status
        if status in FINAL:
            break
        act = draw.random()
        if status == "active" and act < 0.3:
            other = plan(
                draw.choice(PRICES),
                *draw.choices(PRICES, k=draw.randint(0, 2)),
                frequency=draw.choice([frequency, *FREQUENCIES[:2]]),
                term=term,
            )
            on_failure: OnFailure = "apply_change" if draw.random() < 0.5 else "prevent_change"
            if draw.random() < 0.3:
                life.schedule(other, on_failure)
            else:
                life.change_plan(other, draw.choice(MODES), on_failure, pays=draw.random() < 0.8)
        elif status == "active" and act < 0.4:
            life.pause_for(timedelta(seconds=draw.randint(0, 90 * 86_400)))
        elif status in ("past_due", "on_hold") and act < 0.5:
            life.retry(pays=draw.random() < 0.6, soft=draw.random() < 0.7)
        else:
            length = timedelta(seconds=draw.randint(1, 70 * 86_400))
            if draw.random() < 0.2:  # a worker that was down catches up
                life.now += length
                life.work_off(pays=draw.random() < 0.8)
            else:
                life.advance_to(life.now + length, pays=draw.random() < 0.85, soft=draw.random() < 0.7)
        check(life)
    return life


@given(st.integers(0, 2**40))
@settings(max_examples=proof.length(10_000), deadline=None)
def test_periods_follow_one_another_and_charges_are_what_periods_cost(seed: int) -> None:
    """A tenth of 100,000 lives: each example is ten of them."""
    for offset in range(10 if proof.PROVING else 1):
        live(seed * 10 + offset)


def test_lives_reach_every_status_and_change() -> None:
    """The lives above are no idle ones."""
    lives = [live(seed) for seed in range(400)]
    assert {life.subscription.status for life in lives} >= {"active", "past_due", "on_hold", "cancelled", "expired"}
    told = {event for life in lives for event in life.told}
    assert told >= {
        "subscription.plan_changed",
        "subscription.renewed",
        "subscription.unpaused",
        "subscription.on_hold",
    }
    assert any(life.skips for life in lives) and any(life.subscription.credit for life in lives)
    assert any(life.subscription.carried for life in lives)
