"""Plans and subscriptions for the tests of the core."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from nicobar.core.business.tenant import Mode
from nicobar.core.catalog.product import OneTimePrice
from nicobar.core.customers.buyer import Address, Buyer
from nicobar.core.discounts.discounts import DiscountTerms
from nicobar.core.money.fx import ChargeTerms
from nicobar.core.pricing.quote import CartLine, KeptProduct
from nicobar.core.subscriptions.calendar import Span
from nicobar.core.subscriptions.lifecycle import activate
from nicobar.core.subscriptions.plan import Plan, PlanLine, RunningCode
from nicobar.core.subscriptions.subscription import Subscription

MONTHLY = Span(1, "Month")
LONG = Span(20, "Year")
DOLLARS = ChargeTerms("USD", 2, "USD", 2)
TEST: Mode = "test"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def plan(price: int, *addons: int, quantity: int = 1, frequency: Span = MONTHLY, term: Span = LONG) -> Plan:
    def line(name: str, amount: int, count: int) -> PlanLine:
        sold = KeptProduct(name, OneTimePrice("USD", amount, tax_inclusive=False))
        return PlanLine(sold=sold, name=name, description=None, tax_category="saas", quantity=count)

    return Plan(
        product=line(f"pdt_{price}", price, quantity),
        addons=tuple(line(f"adn_{index}", amount, 1) for index, amount in enumerate(addons)),
        frequency=frequency,
        term=term,
    )


def cart_lines(plan: Plan, tax_rate_ppm: int = 0) -> list[CartLine]:
    return [
        CartLine(line.sold.product_id, "USD", line.price.price, line.quantity, tax_rate_ppm=tax_rate_ppm)
        for line in plan.lines
    ]


def price_of(plan: Plan) -> int:
    return sum(line.price.price * line.quantity for line in plan.lines)


def pending(own: Plan, at: datetime, **fields: Any) -> Subscription:
    values: dict[str, Any] = {
        "business_id": "bus_1",
        "mode": TEST,
        "subscription_id": "sub_1",
        "brand_id": "bus_1",
        "customer": Buyer("cus_1", "a@example.com", "A", None, {}),
        "status": "pending",
        "created_at": at,
        "updated_at": at,
        "plan": own,
        "currency": "USD",
        "recurring_pre_tax_amount": price_of(own),
        "tax_inclusive": False,
        "market": "US",
        "purchasing_power_percent": 100,
        "fees_inclusive": None,
        "billing": Address("US"),
        "tax_id": None,
        "customer_business_name": None,
        "metadata": {},
        "first_payment_id": "pay_1",
        "pending_until": at,
        "previous_billing_date": at,
        "next_billing_date": at,
        "anchor": at,
        "number": 0,
        "period_price": price_of(own),
    }
    return Subscription(**(values | fields))


def active(own: Plan, at: datetime, **fields: Any) -> Subscription:
    waiting = pending(own, at, **fields)
    charged = not waiting.trial_period_days
    if not charged:
        waiting = msgspec.structs.replace(waiting, period_price=0)
    return activate(waiting, "pm_1", at, charged=charged).subscription


def code(bps: int, cycles: int | None, *, preserved: bool = True) -> RunningCode:
    terms = DiscountTerms("dsc_1", "SAVE", "percentage", bps)
    return RunningCode(terms=terms, cycles_remaining=cycles, preserve_on_plan_change=preserved)
