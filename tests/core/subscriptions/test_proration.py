"""The published arithmetic of plan changes, to the unit (contract, "Modes")."""

import msgspec
import pytest

from core.subscriptions.plans import DOLLARS, active, cart_lines, code, moment, plan, price_of
from nicobar.core.discounts.discounts import DiscountTerms
from nicobar.core.pricing.pricing import recompute
from nicobar.core.problems import Problem
from nicobar.core.subscriptions.calendar import ServicePeriod
from nicobar.core.subscriptions.charges import price_charge, price_cycle, price_part
from nicobar.core.subscriptions.plan_change import change_cost, changed_period, check_changeable, kept_codes
from nicobar.core.subscriptions.proration import CreditUse, ProrationMode, Share, prorate, remaining, use_credit
from nicobar.core.subscriptions.subscription import OpenCharge, PlanChange

HALF = Share(15, 30)


@pytest.mark.parametrize(
    ("mode", "old", "new", "amount"),
    [
        ("prorated_immediately", 3000, 8000, 2500),
        ("prorated_immediately", 8000, 2000, -3000),
        ("prorated_immediately_keep_cycle", 3000, 8000, 2500),
        ("difference_immediately", 3000, 8000, 5000),
        ("difference_immediately", 8000, 2000, -6000),
        ("full_immediately", 3000, 8000, 8000),
        ("do_not_bill", 3000, 8000, 0),
        ("prorated_immediately", 3000, 8000 + 3000, 4000),  # three add-ons of 10: 40 + 15 - 15
    ],
)
def test_the_documented_examples(mode: ProrationMode, old: int, new: int, amount: int) -> None:
    assert prorate(mode, old, new, HALF, restarts=False).amount == amount


def test_only_a_full_change_begins_a_new_cycle() -> None:
    modes: list[ProrationMode] = [
        "prorated_immediately",
        "prorated_immediately_keep_cycle",
        "difference_immediately",
        "full_immediately",
        "do_not_bill",
    ]
    assert [prorate(mode, 3000, 8000, HALF, restarts=False).restarts for mode in modes] == [
        False,
        False,
        False,
        True,
        False,
    ]
    assert [prorate(mode, 3000, 8000, HALF, restarts=True).restarts for mode in modes] == [
        True,
        True,
        True,
        True,
        False,
    ]


def test_another_interval_charges_the_whole_new_period_less_the_rest_of_the_old() -> None:
    cost = prorate("prorated_immediately", 3000, 80000, HALF, restarts=True)
    assert (cost.price, cost.credit, cost.amount, cost.share.text()) == (80000, 1500, 78500, "1")


def test_a_month_end_by_seconds_with_tax() -> None:
    """The contract's own example: 31 January to 28 February, changed on 10 February at noon."""
    subscription = active(plan(3000), moment("2026-01-31T00:00:00"))
    at = moment("2026-02-10T12:00:00")
    left = remaining(subscription.period, 0, at)
    cost = change_cost(subscription, "prorated_immediately", plan(8000), 8000, at)
    assert left.text() == "0.625"
    assert (cost.price, cost.credit, cost.amount) == (5000, 1875, 3125)
    priced = price_part(cart_lines(plan(8000), 190_000), DOLLARS, [], cost.price, cost.credit, 50)
    assert (priced.quote.tax, priced.quote.total, priced.credit_use) == (594, 3719, CreditUse(3125, 1875, 0))
    assert changed_period(subscription, plan(8000), cost, at) == ServicePeriod(at, moment("2026-02-28T00:00:00"))


def test_a_downgrade_pays_three_renewals_with_its_credit() -> None:
    """80 to 20 by the difference: a credit of 60, which is three renewals of 20."""
    credit = -prorate("difference_immediately", 8000, 2000, HALF, restarts=False).amount
    totals = []
    for _ in range(4):
        priced = price_charge(cart_lines(plan(2000)), DOLLARS, [], credit, 50)
        credit += priced.credit_use.movement
        totals.append(priced.quote.total)
    assert (totals, credit) == ([0, 0, 0, 2000], 0)


def test_pauses_are_no_part_of_a_period() -> None:
    period = ServicePeriod(moment("2026-01-01T00:00:00"), moment("2026-02-10T00:00:00"))  # ten days paused
    assert remaining(period, 864_000, moment("2026-01-20T00:00:00")) == Share(21 * 86_400, 30 * 86_400)
    assert remaining(period, 0, moment("2026-03-01T00:00:00")).of(1000) == 0
    assert remaining(period, 0, moment("2025-12-01T00:00:00")).of(1000) == 1000


@pytest.mark.parametrize(
    ("amount", "credit", "credit_use"),
    [
        (2500, 0, CreditUse(2500, 0, 0)),
        (2500, 400, CreditUse(2100, 400, 0)),
        (2500, 2500, CreditUse(0, 2500, 0)),
        (2500, 9000, CreditUse(0, 2500, 0)),
        (2500, 2490, CreditUse(50, 2490, 40)),
        (20, 0, CreditUse(50, 0, 30)),
        (0, 700, CreditUse(0, 0, 0)),
    ],
)
def test_credit_is_used_up_and_small_charges_are_filled_up(amount: int, credit: int, credit_use: CreditUse) -> None:
    assert use_credit(amount, credit, 50) == credit_use


def test_what_fills_up_a_small_charge_is_charged_and_kept() -> None:
    priced = price_charge(cart_lines(plan(1000, 500)), DOLLARS, [], 1490, 50)
    assert (priced.quote.total, priced.price, priced.credit_use) == (50, 1500, CreditUse(50, 1490, 40))
    assert sum(line.total for line in priced.quote.lines) == 50


@pytest.mark.parametrize(
    ("prices", "credit", "carried", "total", "credit_use"),
    [
        ((30,), 0, 0, 0, CreditUse(0, 0, 0, 30)),
        ((30,), 0, 30, 60, CreditUse(60, 0, 0, -30)),
        ((49, 0), 0, 0, 0, CreditUse(0, 0, 0, 49)),
        ((50,), 0, 0, 50, CreditUse(50, 0, 0, 0)),
        ((10, 5), 4, 20, 0, CreditUse(0, 4, 0, 11)),
        ((10, 5), 40, 30, 0, CreditUse(0, 40, 0, -25)),
        ((0,), 0, 30, 0, CreditUse(0, 0, 0, 0)),
        ((1000,), 0, 49, 1049, CreditUse(1049, 0, 0, -49)),
        ((1000,), 990, 30, 50, CreditUse(50, 990, 10, -30)),
        ((0,), 0, 0, 0, CreditUse(0, 0, 0, 0)),
    ],
)
def test_a_cycle_below_the_smallest_charge_is_carried_on(
    prices: tuple[int, ...], credit: int, carried: int, total: int, credit_use: CreditUse
) -> None:
    """Nobody pays more than the price: what cannot be charged waits for a later cycle."""
    priced = price_cycle(cart_lines(plan(*prices)), DOLLARS, [], credit, 50, carried)
    assert (priced.quote.total, priced.price, priced.credit_use) == (total, sum(prices), credit_use)
    assert recompute(priced.quote.inputs) == priced.quote


def test_tax_can_lift_a_small_cycle_above_the_smallest_charge() -> None:
    priced = price_cycle(cart_lines(plan(45), 200_000), DOLLARS, [], 0, 50, 0)
    assert (priced.quote.total, priced.credit_use) == (54, CreditUse(45, 0, 0))


@pytest.mark.parametrize(("price", "kept"), [(1000, True), (1010, False)])
def test_the_codes_of_a_cycle_that_is_carried_on_are_told(price: int, kept: bool) -> None:
    """97 % off 10.10 leave 0.303: what rounding took away cannot be covered, so the line stands for itself."""
    most = DiscountTerms("dsc_1", "MOST", "percentage", 9700)
    priced = price_cycle(cart_lines(plan(price)), DOLLARS, [most], 0, 50, 0)
    assert (priced.quote.total, priced.quote.rounded_away, priced.credit_use.carried) == (0, False, 30)
    assert [code.code for code in priced.quote.inputs.codes] == (["MOST", "CARRIED"] if kept else ["CARRIED"])


def test_credit_waits_where_only_the_tax_lifts_a_charge_above_the_smallest() -> None:
    """Raised to the smallest charge before tax, it would take more than it costs: a cycle, a part, a demanded price."""
    lines = cart_lines(plan(45), 200_000)
    for priced in (
        price_cycle(lines, DOLLARS, [], 5, 50, 0),
        price_part(cart_lines(plan(90), 200_000), DOLLARS, [], 45, 5, 50),
        price_charge(lines, DOLLARS, [], 5, 50),
    ):
        assert (priced.quote.total, priced.credit_use) == (54, CreditUse(45, 0, 0))


def test_a_code_may_leave_less_than_a_cent_of_a_cycle() -> None:
    nearly_all = DiscountTerms("dsc_1", "MOST", "percentage", 9_999)
    priced = price_cycle(cart_lines(plan(30)), DOLLARS, [nearly_all], 0, 50, 0)
    assert (priced.quote.total, priced.quote.rounded_away, priced.credit_use.carried) == (0, False, 0)


def test_tax_can_lift_a_small_charge_above_the_smallest() -> None:
    priced = price_charge(cart_lines(plan(45), 200_000), DOLLARS, [], 0, 50)
    assert (priced.quote.total, priced.credit_use) == (54, CreditUse(45, 0, 0))


def test_a_trial_ends_with_the_change_and_its_unpaid_time_gives_no_credit() -> None:
    trial = active(plan(3000), moment("2026-03-01T00:00:00"), trial_period_days=14)
    at = moment("2026-03-05T00:00:00")
    cost = change_cost(trial, "prorated_immediately", plan(8000), 8000, at)
    assert (cost.amount, cost.restarts) == (8000, True)
    assert changed_period(trial, plan(8000), cost, at).ends_at == moment("2026-04-05T00:00:00")


def test_nothing_is_gained_by_a_change_that_was_not_billed() -> None:
    subscription = active(plan(3000), moment("2026-03-01T00:00:00"))
    at = moment("2026-03-16T12:00:00")
    free = change_cost(subscription, "do_not_bill", plan(8000), 8000, at)
    assert (free.amount, free.period_price) == (0, price_of(plan(3000)))


def test_codes_stay_if_they_say_so_and_cover_something() -> None:
    kept, gone = code(1000, 3), code(1000, 3, preserved=False)
    assert kept_codes((kept, gone), plan(8000)) == (kept,)


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"status": "on_hold"}, "INACTIVE_SUBSCRIPTION_PLAN_CHANGE_NOT_SUPPORTED"),
        ({"on_demand": True}, "ON_DEMAND_PLAN_CHANGE_NOT_SUPPORTED"),
        ({"cancel_at_next_billing_date": True}, "PLAN_CHANGE_NOT_ALLOWED_FOR_SCHEDULED_CANCELLATION"),
    ],
)
def test_what_cannot_be_changed(fields: dict[str, object], refusal: str) -> None:
    subscription = msgspec.structs.replace(active(plan(3000), moment("2026-03-01T00:00:00")), **fields)
    with pytest.raises(Problem) as raised:
        check_changeable(subscription, "full_immediately", "immediately", replaces_scheduled=False)
    assert raised.value.code == refusal


def test_only_a_full_change_can_wait_for_the_next_date() -> None:
    subscription = active(plan(3000), moment("2026-03-01T00:00:00"))
    check_changeable(subscription, "full_immediately", "next_billing_date", replaces_scheduled=False)
    with pytest.raises(Problem) as raised:
        check_changeable(subscription, "do_not_bill", "next_billing_date", replaces_scheduled=False)
    assert raised.value.code == "INVALID_PRORATION_MODE_WITH_NEXT_BILLING_DATE"


@pytest.mark.parametrize(
    ("changes", "refusal"), [(True, "PENDING_PLAN_CHANGE_EXISTS"), (False, "PREVIOUS_PAYMENT_PENDING")]
)
def test_one_thing_is_paid_after_the_other(changes: bool, refusal: str) -> None:
    own = active(plan(3000), moment("2026-03-01T00:00:00"))
    charge = OpenCharge(
        payment_id="pay_2",
        charge_type="plan_change" if changes else "renewal",
        period=own.period,
        number=1,
        price=3000,
        credit_use=CreditUse(3000, 0, 0),
        change=waiting_change() if changes else None,
    )
    with pytest.raises(Problem) as raised:
        check_changeable(
            msgspec.structs.replace(own, open_charge=charge), "do_not_bill", "immediately", replaces_scheduled=True
        )
    assert raised.value.code == refusal


def test_a_scheduled_change_is_replaced_only_if_asked_for() -> None:
    own = msgspec.structs.replace(active(plan(3000), moment("2026-03-01T00:00:00")), scheduled_change=waiting_change())
    check_changeable(own, "do_not_bill", "immediately", replaces_scheduled=True)
    with pytest.raises(Problem) as raised:
        check_changeable(own, "do_not_bill", "immediately", replaces_scheduled=False)
    assert raised.value.code == "SCHEDULED_PLAN_CHANGE_EXISTS"


def waiting_change() -> PlanChange:
    return PlanChange(
        change_id="chg_1",
        plan=plan(8000),
        codes=(),
        recurring_pre_tax_amount=8000,
        tax_inclusive=False,
        on_failure="apply_change",
        metadata={},
        created_at=moment("2026-03-02T00:00:00"),
    )
