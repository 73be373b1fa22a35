"""A subscription's life in memory: the core decides, and this books what it says. For the tests of the core."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

import msgspec

from core.subscriptions.plans import DOLLARS, cart_lines, pending, price_of
from nicobar.core.pricing.quote import Quote
from nicobar.core.subscriptions.calendar import ServicePeriod, after
from nicobar.core.subscriptions.charges import PricedCharge, price_cycle, price_part
from nicobar.core.subscriptions.due import ChargeDue, next_step, retry_of, wake_at
from nicobar.core.subscriptions.lifecycle import (
    RecoveryRules,
    activate,
    apply_change,
    cancel,
    charge_failed,
    charge_paid,
    end_grace,
    expire,
    open_charge,
    pause,
    resume,
)
from nicobar.core.subscriptions.plan import Plan, working_terms
from nicobar.core.subscriptions.plan_change import change_cost, changed_period
from nicobar.core.subscriptions.proration import Proration, ProrationMode
from nicobar.core.subscriptions.subscription import Moved, OnFailure, OpenCharge, PlanChange, Subscription, moved

MINIMUM = 50

NO_RECOVERY = RecoveryRules()


def half_up(value: Fraction) -> int:
    return int(value + Fraction(1, 2))


@dataclass
class Life:
    """One life: what was charged and told, and what each period cost by the independent arithmetic of this file."""

    subscription: Subscription
    now: datetime
    rules: RecoveryRules = field(default_factory=RecoveryRules)
    charged: list[int] = field(default_factory=list)
    """Net amounts that were paid."""
    costs: list[int] = field(default_factory=list)
    """What each paid period, or change of one, cost at its plan."""
    current_cost: int = 0
    """What the current period cost at its plan: P0 of a change."""
    periods: list[ServicePeriod] = field(default_factory=list)
    """What was paid for, up to the next billing date; what a change cut short ends there."""
    skips: int = 0
    """How often what was paid late skipped cycles."""
    told: list[str] = field(default_factory=list)
    renewals: list[tuple[datetime, int]] = field(default_factory=list)
    """The beginning of each renewed period, and the retry that paid it."""

    @classmethod
    def begin(cls, plan: Plan, at: datetime, rules: RecoveryRules = NO_RECOVERY, trial_days: int = 0) -> "Life":
        waiting = pending(plan, at, trial_period_days=trial_days, period_price=0 if trial_days else price_of(plan))
        life = cls(waiting, at, rules)
        life.take(activate(waiting, "pm_1", at, charged=not trial_days))
        if not trial_days:
            life.charged.append(price_of(plan))
            life.costs.append(price_of(plan))
            life.current_cost = price_of(plan)
        life.periods.append(life.subscription.period)
        return life

    def take(self, result: Moved) -> None:
        self.subscription = result.subscription
        self.told += result.events

    def work_off(self, *, pays: bool = True, soft: bool = True) -> list[str]:
        """Do what is due now, one thing after the other, until nothing is."""
        done: list[str] = []
        while (step := next_step(self.subscription, self.now)) is not None:
            done.append(step if isinstance(step, str) else step.charge_type)
            match step:
                case "cancel":
                    self.take(cancel(self.subscription, self.now, None))
                case "expire":
                    self.take(expire(self.subscription, self.now))
                case "end_grace":
                    self.take(end_grace(self.subscription, self.now))
                case ChargeDue():
                    self.charge(step, pays=pays, soft=soft)
                case _:
                    raise AssertionError(step)
        return done

    def advance_to(self, moment: datetime, *, pays: bool = True, soft: bool = True) -> None:
        """Let time pass as a worker sees it that is never late."""
        while (due := wake_at(self.subscription)) is not None and due <= moment:
            self.now = max(self.now, due)
            self.work_off(pays=pays, soft=soft)
        self.now = moment

    def retry(self, *, pays: bool, soft: bool = True, manual: bool = True) -> None:
        self.charge(retry_of(self.subscription), pays=pays, soft=soft, manual=manual)

    def charge(self, due: ChargeDue, *, pays: bool, soft: bool = True, manual: bool = False) -> None:
        own = self.subscription
        plan = own.plan if due.change is None else due.change.plan
        owed = own.arrears.price if own.arrears is not None and due.retry_attempt else None
        terms = working_terms(own.codes if due.change is None else due.change.codes)
        if owed is None:
            priced = price_cycle(cart_lines(plan), DOLLARS, terms, own.credit, MINIMUM, own.carried)
            assert net(priced.quote) <= priced.price + own.carried, "nobody pays more than what cycles cost"
        else:
            priced = price_part(cart_lines(plan), DOLLARS, terms, owed, own.credit, MINIMUM)
        charge = OpenCharge(
            payment_id="pay",
            charge_type=due.charge_type,
            period=due.period,
            number=due.number,
            price=priced.price,
            credit_use=priced.credit_use,
            retry_attempt=due.retry_attempt,
            is_manual=manual,
            payment_method_id="pm_1",
            change=due.change,
        )
        before = own
        self.subscription = open_charge(own, charge, self.now)
        assert next_step(self.subscription, self.now) is None and wake_at(self.subscription) is None
        if pays:
            self.take(charge_paid(self.subscription, charge, self.now))
            self._book(priced, price_of(plan) if owed is None and not terms else priced.price, due, before)
        else:
            self.take(charge_failed(self.subscription, charge, self.now, self.rules, soft=soft))
            if due.change is not None and due.change.on_failure == "apply_change":  # it begins, and is owed
                self.periods.append(due.period)
                self.current_cost = price_of(plan)

    def _book(self, priced: PricedCharge, cost: int, due: ChargeDue, before: Subscription) -> None:
        self.charged.append(net(priced.quote))
        self.costs.append(cost)
        ends = self.subscription.next_billing_date
        if before.arrears is not None and before.arrears.price is not None:
            # A change that was applied before it was paid: its period began then, and cycles that ended are skipped.
            self.skips += ends != before.next_billing_date
            self.periods[-1] = ServicePeriod(self.periods[-1].starts_at, ends)
            return
        self.current_cost = cost
        if ends != due.period.ends_at:
            assert due.retry_attempt > 0, "only what was paid late skips cycles"
            self.skips += 1
        self.periods.append(ServicePeriod(due.period.starts_at, ends))
        self.renewals.append((due.period.starts_at, due.retry_attempt))

    def schedule(self, plan: Plan, on_failure: OnFailure) -> None:
        """Change the plan at the next billing date."""
        change = _change(plan, on_failure, self.now)
        self.take(moved(self.subscription, self.subscription.status, self.now, scheduled_change=change))

    def change_plan(self, plan: Plan, mode: ProrationMode, on_failure: OnFailure, *, pays: bool) -> PricedCharge | None:
        """Change the plan now, and return what it charged."""
        own, at = self.subscription, self.now
        cost = change_cost(own, mode, plan, price_of(plan), at)
        change = _change(plan, on_failure, at, cost)
        priced = price_part(cart_lines(plan), DOLLARS, [], cost.price, own.credit + cost.credit, MINIMUM)
        gross = self._gross(mode, plan, own, at)
        credit_use = priced.credit_use
        charge = OpenCharge(
            payment_id="pay",
            charge_type="plan_change",
            period=changed_period(own, plan, cost, at),
            number=own.number,
            price=cost.price,
            credit_use=credit_use._replace(used=credit_use.used - cost.credit),
            change=change,
            payment_method_id="pm_1",
        )
        if priced.quote.total == 0:
            self.subscription = msgspec.structs.replace(own, credit=own.credit + charge.credit_use.movement)
            self.take(apply_change(self.subscription, change, cost.price, at))
        else:
            self.subscription = open_charge(own, charge, at)
            if not pays:
                self.take(charge_failed(self.subscription, charge, at, self.rules, soft=True))
                if on_failure == "prevent_change":
                    return priced
                self.costs.append(gross - cost.price)  # its own price is owed, and booked when it is paid
                self._cut(plan, mode, cost.restarts, at)
                return priced
            self.take(charge_paid(self.subscription, charge, at))
        self.charged.append(net(priced.quote))
        self.costs.append(gross)
        self._cut(plan, mode, cost.restarts, at)
        return priced

    def _cut(self, plan: Plan, mode: ProrationMode, restarts: bool, at: datetime) -> None:
        if mode != "do_not_bill":
            self.current_cost = price_of(plan)
        if restarts:
            cut = self.periods[-1]
            self.periods[-1] = ServicePeriod(cut.starts_at, at)
            self.periods.append(ServicePeriod(at, after(at, plan.frequency)))

    def _gross(self, mode: ProrationMode, plan: Plan, own: Subscription, at: datetime) -> int:
        """Return what a change costs by fractions, without asking the core."""
        old, new = self.current_cost, price_of(plan)
        seconds = (own.next_billing_date - own.previous_billing_date) // timedelta(seconds=1) - own.paused_seconds
        left = Fraction((own.next_billing_date - at) // timedelta(seconds=1), max(1, seconds))
        left = min(Fraction(1), max(Fraction(0), left))
        restarts = own.in_trial or plan.frequency != own.plan.frequency
        if mode == "do_not_bill":
            return 0
        if mode == "full_immediately":
            return new
        if mode == "difference_immediately":
            return new - old
        return (new if restarts else half_up(new * left)) - half_up(old * left)

    def pause_for(self, length: timedelta) -> None:
        self.take(pause(self.subscription, self.now))
        self.now += length
        self.take(resume(self.subscription, self.now))
        last = self.periods[-1]
        self.periods[-1] = ServicePeriod(last.starts_at, last.ends_at + length)


def _change(plan: Plan, on_failure: OnFailure, at: datetime, cost: Proration | None = None) -> PlanChange:
    return PlanChange(
        change_id="chg",
        plan=plan,
        codes=(),
        recurring_pre_tax_amount=price_of(plan),
        tax_inclusive=False,
        on_failure=on_failure,
        metadata={},
        created_at=at,
        proration=cost,
    )


def net(quote: Quote) -> int:
    return sum(line.subtotal - line.discount for line in quote.lines)
