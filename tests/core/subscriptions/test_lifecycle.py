"""What becomes of a subscription, by the contract's sections on states, trials, renewals and failed renewals."""

from datetime import timedelta

import msgspec
import pytest

from core.subscriptions.lives import Life
from core.subscriptions.plans import MONTHLY, active, code, moment, plan
from nicobar.core.subscriptions.calendar import ServicePeriod, Span
from nicobar.core.subscriptions.due import next_step, wake_at
from nicobar.core.subscriptions.lifecycle import (
    RecoveryRules,
    cancel,
    give_up,
    hold_without_method,
    move_next_date,
    term_end,
)
from nicobar.core.subscriptions.plan import after_a_cycle
from nicobar.core.subscriptions.retry_ladder import next_retry
from nicobar.core.subscriptions.subscription import FINAL, TRANSITIONS, CancelledBy, PlanChange, moved

START = moment("2026-01-31T10:00:00")


def test_the_first_period_and_the_term_begin_with_the_first_payment() -> None:
    life = Life.begin(plan(3000, term=Span(1, "Year")), START)
    own = life.subscription
    assert own.status == "active" and life.told == ["subscription.active", "subscription.renewed"]
    assert (own.previous_billing_date, own.next_billing_date) == (START, moment("2026-02-28T10:00:00"))
    assert own.expires_at == moment("2027-01-31T10:00:00")


def test_month_ends_come_back_and_the_last_renewal_is_before_the_end_of_the_term() -> None:
    life = Life.begin(plan(3000, term=Span(4, "Month")), START)
    life.advance_to(moment("2026-12-01T00:00:00"))
    assert [starts.date().isoformat() for starts, _ in life.renewals] == ["2026-02-28", "2026-03-31", "2026-04-30"]
    assert life.subscription.status == "expired" and life.told[-1] == "subscription.expired"
    assert life.charged == [3000] * 4


def test_a_term_of_one_cycle_is_charged_once() -> None:
    """The contract's trap: the term is the total life."""
    life = Life.begin(plan(3000, term=MONTHLY), START)
    life.advance_to(moment("2026-12-01T00:00:00"))
    assert (life.charged, life.subscription.status) == ([3000], "expired")


def test_a_trial_delays_the_first_cycle_and_the_term() -> None:
    life = Life.begin(plan(3000, term=Span(1, "Year")), START, trial_days=14)
    own = life.subscription
    assert (own.status, life.told, own.in_trial) == ("active", ["subscription.active"], True)
    assert own.next_billing_date == START + timedelta(days=14)
    assert own.expires_at == moment("2027-02-14T10:00:00")
    life.advance_to(START + timedelta(days=14))
    assert life.charged == [3000] and not life.subscription.in_trial
    assert life.subscription.next_billing_date == moment("2026-03-14T10:00:00")


def test_a_worker_that_was_down_catches_up_in_order() -> None:
    life = Life.begin(plan(3000, frequency=Span(7, "Day")), START)
    life.now = START + timedelta(days=30)
    assert life.work_off() == ["renewal"] * 4
    assert [starts - START for starts, _ in life.renewals] == [timedelta(days=7 * week) for week in range(1, 5)]
    assert life.subscription.next_billing_date == START + timedelta(days=35)


def test_a_failed_renewal_stops_the_later_ones_and_late_success_skips_what_has_ended() -> None:
    life = Life.begin(plan(3000, frequency=Span(7, "Day")), START)
    life.advance_to(START + timedelta(days=30), pays=False)
    assert life.subscription.status == "on_hold" and life.told[-1] == "subscription.on_hold"
    life.retry(pays=True)
    own = life.subscription
    assert life.told[-3:] == ["subscription.active", "subscription.renewed", "subscription.updated"]
    assert own.previous_billing_date == START + timedelta(days=7)
    assert own.next_billing_date == START + timedelta(days=35)
    assert life.charged == [3000, 3000]


def test_grace_ends_on_hold_or_cancels_by_the_setting_of_its_beginning() -> None:
    for cancels, end in ((False, "on_hold"), (True, "cancelled")):
        life = Life.begin(plan(3000), START, RecoveryRules(timedelta(days=3), cancels))
        due = life.subscription.next_billing_date
        life.advance_to(due, pays=False)
        assert life.subscription.status == "past_due" and life.subscription.past_due_ends_at == due + timedelta(days=3)
        life.rules = RecoveryRules()  # a change of the settings does not touch what runs
        life.advance_to(due + timedelta(days=3), pays=False)
        assert life.subscription.status == end


@pytest.mark.parametrize(("window", "tries"), [(30, 8), (29, 7), (13, 5), (1, 1), (0, 0)])
def test_the_ladder_of_retries(window: int, tries: int) -> None:
    """Half a day, 1.5, 3.5, 6.5, 10.5, 15.5, 22.5 and 29.5 days after the invoice, as far as the window goes."""
    failed = START
    found: list[float] = []
    while (at := next_retry(START, failed, len(found), timedelta(days=window))) is not None:
        found.append((at - START) / timedelta(days=1))
        failed = at
    assert found == [0.5, 1.5, 3.5, 6.5, 10.5, 15.5, 22.5, 29.5][:tries]


def test_soft_declines_are_retried_and_a_hard_one_ends_the_chain() -> None:
    life = Life.begin(plan(3000), START, RecoveryRules(retry_window=timedelta(days=13)))
    due = life.subscription.next_billing_date
    life.advance_to(due + timedelta(days=4), pays=False)
    arrears = life.subscription.arrears
    assert arrears is not None and (arrears.tries, arrears.automatic_tries) == (3, 3)
    assert arrears.next_retry_at == due + timedelta(days=6.5)
    life.advance_to(due + timedelta(days=7), pays=False, soft=False)
    arrears = life.subscription.arrears
    assert arrears is not None and arrears.next_retry_at is None and wake_at(life.subscription) is None


@pytest.mark.parametrize(
    ("sent", "following", "window"),
    [
        (11, 12, 13),
        (12, 12 + 12, 13),  # due already: the next one keeps its delay from the one by hand
        (13, 13 + 12, 13),
        (13, None, 1),
    ],
)
def test_sending_by_hand_moves_only_what_is_due_already(sent: int, following: int | None, window: int) -> None:
    """By hand at the moment of an automatic try, one declined charge was followed by another at once."""
    life = Life.begin(plan(3000), START, RecoveryRules(retry_window=timedelta(days=window)))
    due = life.subscription.next_billing_date
    life.advance_to(due, pays=False)
    life.now = due + timedelta(hours=sent)
    life.retry(pays=False)
    arrears = life.subscription.arrears
    assert arrears is not None and (arrears.automatic_tries, arrears.manual_sends) == (0, 1)
    assert arrears.next_retry_at == (None if following is None else due + timedelta(hours=following))


def test_sending_by_hand_takes_up_no_ladder_that_has_ended() -> None:
    life = Life.begin(plan(3000), START, RecoveryRules(retry_window=timedelta(days=13)))
    life.advance_to(life.subscription.next_billing_date, pays=False, soft=False)
    life.retry(pays=False)
    arrears = life.subscription.arrears
    assert arrears is not None and arrears.next_retry_at is None


def test_codes_count_charged_cycles() -> None:
    life = Life.begin(plan(3000), START, trial_days=7)
    life.subscription = msgspec.structs.replace(life.subscription, codes=(code(5000, 2), code(1000, None)))
    life.advance_to(moment("2026-05-10T00:00:00"))
    assert life.charged == [1350, 1350, 2700, 2700]
    assert [each.cycles_remaining for each in life.subscription.codes] == [0, None]
    assert [each.cycles_remaining for each in after_a_cycle(life.subscription.codes)] == [0, None]


def test_a_cycle_of_the_old_plan_counts_for_the_codes_of_a_change_that_still_waits() -> None:
    life = Life.begin(plan(3000), START)
    codes = (code(5000, 2), code(1000, None))
    change = msgspec.structs.replace(scheduled(), codes=codes[:1])
    life.subscription = msgspec.structs.replace(life.subscription, codes=codes, scheduled_change=change)
    life.now = life.subscription.next_billing_date
    life.take(hold_without_method(life.subscription, life.now))
    life.retry(pays=True)
    waiting = life.subscription.scheduled_change
    assert waiting == msgspec.structs.replace(change, codes=(code(5000, 1),))
    life.advance_to(moment("2026-05-10T00:00:00"))
    assert life.charged == [3000, 1350, 4000, 8000]


def test_at_the_due_date_a_cancellation_comes_first_then_the_end_then_a_change() -> None:
    own = active(plan(3000, term=MONTHLY), START)
    at = own.next_billing_date
    assert next_step(own, at) == "expire"
    assert next_step(msgspec.structs.replace(own, cancel_at_next_billing_date=True), at) == "cancel"
    assert next_step(own, at - timedelta(microseconds=1)) is None


def scheduled(frequency: Span = MONTHLY, on_failure: str = "apply_change") -> PlanChange:
    return msgspec.convert(
        {
            "change_id": "chg_1",
            "plan": plan(8000, frequency=frequency),
            "codes": (),
            "recurring_pre_tax_amount": 8000,
            "tax_inclusive": False,
            "on_failure": on_failure,
            "metadata": {},
            "created_at": START,
        },
        PlanChange,
        from_attributes=True,
    )


@pytest.mark.parametrize(("frequency", "following"), [(MONTHLY, "2026-03-31"), (Span(1, "Year"), "2027-02-28")])
def test_a_scheduled_change_takes_the_place_of_the_renewal(frequency: Span, following: str) -> None:
    life = Life.begin(plan(3000), START)
    life.subscription = msgspec.structs.replace(life.subscription, scheduled_change=scheduled(frequency))
    life.advance_to(moment("2026-02-28T10:00:00"))
    own = life.subscription
    assert (life.charged, own.plan.product_id, own.scheduled_change) == ([3000, 8000], "pdt_8000", None)
    assert own.next_billing_date == moment(f"{following}T10:00:00")
    assert life.told[2:] == ["subscription.plan_changed", "subscription.renewed", "subscription.updated"]


def test_a_scheduled_change_that_must_be_paid_is_dropped_for_the_old_plans_renewal() -> None:
    life = Life.begin(plan(3000), START)
    life.subscription = msgspec.structs.replace(
        life.subscription, scheduled_change=scheduled(on_failure="prevent_change")
    )
    life.now = life.subscription.next_billing_date
    step = next_step(life.subscription, life.now)
    assert step is not None and not isinstance(step, str)
    life.charge(step, pays=False)
    assert (life.subscription.status, life.subscription.scheduled_change) == ("active", None)
    assert life.work_off() == ["renewal"] and life.charged == [3000, 3000]


@pytest.mark.parametrize("pays", [True, False])
@pytest.mark.parametrize("frequency", [MONTHLY, Span(1, "Year")])
def test_a_change_after_a_scheduled_one_gives_back_what_that_period_cost(frequency: Span, pays: bool) -> None:
    life = Life.begin(plan(3000), moment("2026-03-01T00:00:00"))
    life.schedule(plan(8000, frequency=frequency), "apply_change")
    life.advance_to(moment("2026-04-01T00:00:00"), pays=pays)
    if not pays:
        assert (life.subscription.status, life.subscription.period_price) == ("on_hold", 8000)
        life.retry(pays=True)
    assert life.charged == [3000, 8000] and life.subscription.period_price == 8000
    changed = life.change_plan(plan(1000, frequency=frequency), "difference_immediately", "prevent_change", pays=True)
    assert changed is not None and changed.quote.total == 0
    assert life.subscription.credit == 8000 - 1000


def test_a_change_that_fails_under_apply_change_is_owed() -> None:
    life = Life.begin(plan(3000), moment("2026-03-01T00:00:00"))
    life.now = moment("2026-03-16T12:00:00")
    life.change_plan(plan(8000), "prorated_immediately", "apply_change", pays=False)
    own = life.subscription
    assert (own.status, own.plan.product_id, own.credit) == ("on_hold", "pdt_8000", 1500)
    assert life.told[-3:] == ["subscription.plan_changed", "subscription.on_hold", "subscription.updated"]
    life.retry(pays=True)
    assert (life.charged, life.subscription.status, life.subscription.credit) == ([3000, 2500], "active", 0)


def test_a_pause_moves_the_dates_by_its_length() -> None:
    life = Life.begin(plan(3000, term=Span(1, "Year")), moment("2026-01-01T00:00:00"))
    life.now = moment("2026-01-10T00:00:00")
    life.pause_for(timedelta(days=10, seconds=5))
    own = life.subscription
    assert own.next_billing_date == moment("2026-02-11T00:00:05") and own.expires_at == moment("2027-01-11T00:00:05")
    assert (own.status, own.paused_at, own.paused_seconds) == ("active", None, 864_005)
    assert life.told[-4:] == [
        "subscription.paused",
        "subscription.updated",
        "subscription.unpaused",
        "subscription.updated",
    ]


def test_a_moved_date_is_the_new_anchor() -> None:
    own = move_next_date(active(plan(3000), START), moment("2026-05-31T00:00:00"), START).subscription
    life = Life(own, START)
    life.advance_to(moment("2026-07-10T00:00:00"))
    assert [starts.date().isoformat() for starts, _ in life.renewals] == ["2026-05-31", "2026-06-30"]


def test_without_a_method_the_due_date_puts_it_on_hold() -> None:
    own = active(plan(3000), START)
    held = hold_without_method(own, own.next_billing_date)
    assert held.events == ("subscription.on_hold",)
    assert held.subscription.arrears is not None
    assert held.subscription.arrears.period == ServicePeriod(own.next_billing_date, moment("2026-03-31T10:00:00"))


def test_cancelling_keeps_who_scheduled_it() -> None:
    by = CancelledBy("api_key")
    own = msgspec.structs.replace(active(plan(3000), START), cancelled_by=by, scheduled_change=scheduled())
    ended = cancel(own, START, None).subscription
    assert (ended.cancelled_by, ended.cancelled_at, ended.scheduled_change) == (by, START, None)


def test_what_is_final_stays_and_the_table_is_the_law() -> None:
    assert frozenset({"cancelled", "failed", "expired"}) == FINAL
    own = active(plan(3000), START)
    with pytest.raises(ValueError, match="cannot move from active to failed"):
        give_up(own, START)
    for status, followers in TRANSITIONS.items():
        for target in TRANSITIONS:
            here = msgspec.structs.replace(own, status=status)
            if target in followers or target == status:
                assert moved(here, target, START).subscription.status == target
            else:
                with pytest.raises(ValueError, match="cannot move"):
                    moved(here, target, START)


def test_a_longer_term_moves_the_end_by_the_difference() -> None:
    own = active(plan(3000, term=Span(1, "Year")), START)
    assert term_end(own, Span(2, "Year")) == moment("2028-01-31T10:00:00")
