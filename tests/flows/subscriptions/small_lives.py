"""A subscription to plans of a few cents over HTTP, and an arithmetic of its own of what its customer owes."""

import random
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, NamedTuple

from api.subscriptions.subscribing import Club
from nicobar.core.money.money import round_half_up
from nicobar.core.subscriptions.subscription import Subscription
from nicobar.flows.payments.expire_payments import expire_payments
from nicobar.storage.database import Record
from nicobar.storage.subscriptions.subscriptions import get_subscription

WITH_TAX = Fraction(119, 100)
"""German prices with their tax."""
MINIMUM = 50
"""The smallest charge, in cents and in yen."""
PRICES = [1, 8, 17, 20, 25, 30, 36, 40, 45, 49, 50, 60, 150]
MODES = [
    "prorated_immediately",
    "prorated_immediately_keep_cycle",
    "difference_immediately",
    "full_immediately",
    "do_not_bill",
]


class Offer(NamedTuple):
    """A plan as it is sold here."""

    product_id: str
    nets: list[int]
    """What each line costs in a cycle."""
    within: bool
    """Whether the prices contain the tax."""
    days: int
    body: dict[str, Any]

    def cost(self, *, halved: bool) -> Fraction:
        """Return what a cycle costs with the tax, with a code that halves it or without."""
        nets = [round_half_up(net, 2) for net in self.nets] if halved else self.nets
        return sum(nets) * (Fraction(1) if self.within else WITH_TAX)


class Switch(NamedTuple):
    """What a change of the plan costs by its mode, with the tax."""

    offer: Offer
    new: Fraction
    old: Fraction
    restarts: bool
    is_billed: bool


@dataclass
class SmallLife:
    """One life: what its customer owes, as it came to be owed, and what is known of its charges."""

    club: Club
    draw: random.Random
    currency: Literal["USD", "JPY"]
    subscription_id: str = ""
    offers: dict[str, Offer] = field(default_factory=dict)
    offer: Offer | None = None
    costs: list[Fraction] = field(default_factory=list)
    current: Fraction = Fraction(0)
    """What the current period costs."""
    owed: Fraction = Fraction(0)
    """What is owed of a change that was made before it was paid."""
    code_left: int = 0
    scheduled: Offer | None = None
    seen: set[tuple[str, str]] = field(default_factory=set)
    roundings: Fraction = Fraction(1)
    """By how much units of money that were rounded may differ from the exact sum."""
    within: bool | None = None
    met: set[str] = field(default_factory=set)

    async def sell(self, price: int) -> Offer:
        """Offer another plan."""
        draw, club = self.draw, self.club
        within, days, quantity = draw.random() < 0.4, draw.choice([30, 30, 30, 10]), draw.choice([1, 1, 2])
        frequency = {"payment_frequency_count": days, "payment_frequency_interval": "Day"}
        product_id = await club.small_product(price, currency=self.currency, tax_inclusive=within, **frequency)
        nets, addons = [price * quantity], []
        if draw.random() < 0.3:
            body = {"name": "Seat", "price": 20, "currency": self.currency, "tax_category": "saas"}
            addon_id = (await club.call("POST", "/addons", body))["id"]
            await club.call("PATCH", f"/products/{product_id}", {"addons": [addon_id]})
            addons, nets = [{"addon_id": addon_id, "quantity": 1}], [*nets, 20]
        offer = Offer(
            product_id, nets, within, days, {"product_id": product_id, "quantity": quantity, "addons": addons}
        )
        self.offers[product_id] = offer
        return offer

    async def begin(self, number: int) -> None:
        """Subscribe to a plan that is large enough to be paid for, with a code for some cycles or without."""
        self.offer = await self.sell(200)
        more: dict[str, Any] = {}
        if self.draw.random() < 0.4:
            self.code_left, more["discount_codes"] = self.draw.choice([1, 2, 4]), [f"HALF{number}"]
            terms = {"type": "percentage", "amount": 5000, "code": f"HALF{number}", "preserve_on_plan_change": True}
            await self.club.call("POST", "/discounts", terms | {"subscription_cycles": self.code_left})
        customer = {"email": f"a{number}@example.com", "name": "Ana"}
        body = self.offer.body | more | {"customer": customer, "billing": {"country": "DE"}}
        made = await self.club.request(**body)
        await self.club.pay(made)
        self.subscription_id = made["subscription_id"]
        await self.agree()

    async def read(self) -> Subscription:
        """Return the subscription."""
        async with self.club.runtime.database.read() as read:
            found = await get_subscription(read, self.club.merchant.tenant, self.subscription_id)
        assert found is not None
        return found

    async def charges(self) -> list[Record]:
        """Return all charges of the subscription with what they took, the oldest first."""
        query = """
            SELECT c.payment_id, c.charge_type, c.retry_attempt, c.state, p.total_amount FROM subscription_charges c
            JOIN payments p USING (business_id, mode, payment_id) WHERE subscription_id = $1
            ORDER BY c.created_at, c.payment_id
        """
        async with self.club.runtime.database.read() as read:
            return list(await read.fetch(query, self.subscription_id))

    async def agree(self, switch: Switch | None = None) -> None:
        """Count what happened since, and compare: what was paid is what was owed, but for what is carried on."""
        own, charges = await self.read(), await self.charges()
        for charge in charges:
            key = (charge["payment_id"], charge["state"])
            if charge["state"] != "open" and charge["charge_type"] is not None and key not in self.seen:
                self.seen.add(key)
                switch = self._count(own, charge, switch)
        if switch is not None and own.plan.product_id == switch.offer.product_id:
            self._switched(switch, switch.new - switch.old)  # nothing was due
        taken = [charge["total_amount"] for charge in charges if charge["state"] == "paid" and charge["total_amount"]]
        assert own.credit >= 0 and own.carried >= 0
        factor = Fraction(1) if own.tax_inclusive else WITH_TAX
        self.roundings += Fraction(own.tax_inclusive != self.within, 2)
        self.within = own.tax_inclusive
        self.met |= {name for name in ("carried", "credit", "arrears") if getattr(own, name)}
        if own.open_charge is None:
            owes = sum(self.costs) + (own.credit - own.carried) * factor
            assert abs(sum(taken) - owes) <= self.roundings + len(taken) * Fraction(3, 5), (taken, own)
            assert own.carried * factor < MINIMUM * WITH_TAX
        for code in own.codes:
            assert code.cycles_remaining == self.code_left

    def _count(self, own: Subscription, charge: Record, switch: Switch | None) -> Switch | None:
        """Count a charge that has ended; return the switch as far as it is not the one that this charge is for."""
        paid, is_change = charge["state"] == "paid", charge["charge_type"] == "plan_change"
        if switch is not None and is_change and not charge["retry_attempt"]:
            if paid:
                self._switched(switch, switch.new - switch.old)
            elif own.plan.product_id == switch.offer.product_id:
                self._switched(switch, -switch.old)
                self.owed = switch.new
            return None
        if is_change and charge["retry_attempt"]:
            if paid:
                self.costs.append(self.owed)
            return switch
        if is_change and not paid and (self.scheduled is None or own.plan.product_id != self.scheduled.product_id):
            self.scheduled = None
            return switch
        if is_change:
            self.offer, self.scheduled = self.scheduled, None
        if paid or is_change:
            assert self.offer is not None
            self.current = self.offer.cost(halved=self.code_left > 0)
            self.code_left = max(0, self.code_left - 1)
            if paid:
                self.costs.append(self.current)
            else:
                self.owed = self.current
        return switch

    def _switched(self, switch: Switch, cost: Fraction) -> None:
        self.offer, self.scheduled = switch.offer, None
        self.costs.append(cost)
        self.roundings += Fraction(4, 5)
        if switch.is_billed:
            self.current = switch.offer.cost(halved=self.code_left > 0)
        if switch.restarts:
            self.code_left = max(0, self.code_left - 1)

    async def change_plan(self) -> None:
        """Change the plan at once by any mode, or at the next date."""
        own, draw = await self.read(), self.draw
        offer, mode, later = await self.sell(draw.choice(PRICES)), draw.choice(MODES), draw.random() < 0.35
        body = offer.body | {
            "proration_billing_mode": "full_immediately" if later else mode,
            "on_payment_failure": draw.choice(["prevent_change", "apply_change"]),
            "cancel_scheduled_change_plan": True,
            "effective_at": "next_billing_date" if later else "immediately",
        }
        assert self.offer is not None
        switch = self._switch(own, offer, mode)
        answer = await self.club.merchant.client.post(f"/subscriptions/{self.subscription_id}/change-plan", json=body)
        assert answer.status_code < 500, answer.text
        if answer.status_code < 300 and later:
            self.scheduled = offer
        await self.agree(switch if answer.status_code < 300 and not later else None)

    def _switch(self, own: Subscription, offer: Offer, mode: str) -> Switch:
        assert self.offer is not None
        period = int((own.next_billing_date - own.previous_billing_date).total_seconds())
        left = Fraction(max(0, int((own.next_billing_date - self.club.clock.now()).total_seconds())), period)
        other, new = offer.days != self.offer.days, offer.cost(halved=self.code_left > 0)
        match mode:
            case "do_not_bill":
                return Switch(offer, Fraction(0), Fraction(0), restarts=False, is_billed=False)
            case "full_immediately":
                return Switch(offer, new, Fraction(0), restarts=True, is_billed=True)
            case "difference_immediately":
                return Switch(offer, new, self.current, restarts=other, is_billed=True)
            case _:
                return Switch(offer, new if other else left * new, left * self.current, other, is_billed=True)

    async def settle(self) -> None:
        """Retry by hand, or open a page for what is owed, on which the customer may pay."""
        failed = [charge["payment_id"] for charge in await self.charges() if charge["state"] == "failed"]
        if failed and self.draw.random() < 0.5:
            answer = await self.club.merchant.client.post(f"/payments/{failed[-1]}/retry")
            assert answer.status_code < 500, answer.text
            return
        path = f"/subscriptions/{self.subscription_id}/update-payment-method"
        answer = await self.club.merchant.client.post(path, json={"type": "new"})
        if answer.status_code == 200 and self.draw.random() < 0.6:
            await self.club.pay(answer.json(), self.draw.choice(["4242424242424242", "4000000000000002"]))

    async def step(self) -> None:
        """Let one thing happen, and compare."""
        own, act = await self.read(), self.draw.random()
        self.club.clock.advance(seconds=self.draw.randint(1, 5))
        if own.status == "active" and act < 0.3:
            await self.change_plan()
        elif own.status in ("on_hold", "past_due") and act < 0.7:
            await self.settle()
        else:
            for _ in range(self.draw.choice([1, 5, 10, 20, 31])):
                await self.club.work(days=1)
            await expire_payments(self.club.runtime)
        await self.agree()
