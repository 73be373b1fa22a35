"""The wire types of previewing a plan change (contract, "Preview"), and how a preview is rendered."""

from datetime import datetime
from typing import Literal

from nicobar.core.money.money import decimal_text
from nicobar.core.pricing.quote import CartLine, LineQuote
from nicobar.core.subscriptions.plan import Plan, PlanLine
from nicobar.core.subscriptions.proration import Share
from nicobar.core.tax.tax import MILLION
from nicobar.wire.common import ResponseBody
from nicobar.wire.subscriptions.subscriptions import SubscriptionRead


class PreviewedLine(ResponseBody, frozen=True, kw_only=True):
    """A line of a plan change. What the old plan gives back has a negative factor."""

    type: Literal["subscription", "addon"]
    id: str
    product_id: str | None
    name: str | None
    description: str | None
    quantity: int
    unit_price: int
    currency: str
    proration_factor: float
    tax_inclusive: bool
    tax_category: str
    tax: int | None
    tax_rate: float
    """Percent."""


class PreviewedSummary(ResponseBody, frozen=True, kw_only=True):
    """What a plan change would charge."""

    currency: str
    total_amount: int
    tax: int | None
    settlement_amount: int
    settlement_currency: str
    settlement_tax: int | None
    customer_credits: int
    """How the credit would move: negative uses it up, positive adds to it."""
    customer_credits_currency: str


class ImmediateCharge(ResponseBody, frozen=True, kw_only=True):
    """What a plan change would charge, and when."""

    effective_at: datetime
    line_items: list[PreviewedLine]
    summary: PreviewedSummary


class PlanChangePreviewed(ResponseBody, frozen=True, kw_only=True):
    """The answer of POST /subscriptions/{subscription_id}/change-plan/preview."""

    immediate_charge: ImmediateCharge
    new_plan: SubscriptionRead


def render_lines(
    plan: Plan, share: Share, sign: int, lines: list[CartLine], quoted: list[LineQuote] | None
) -> list[PreviewedLine]:
    """Render the lines of a plan; `quoted` has the tax of what is charged, and is None for what is given back."""
    if not share.part:
        return []
    return [
        _line(line, plan, share, sign, cart, None if quoted is None else quoted[index])
        for index, (line, cart) in enumerate(zip(plan.lines, lines, strict=True))
    ]


def _line(
    line: PlanLine, plan: Plan, share: Share, sign: int, cart: CartLine, quoted: LineQuote | None
) -> PreviewedLine:
    is_product = line is plan.product
    return PreviewedLine(
        type="subscription" if is_product else "addon",
        id=line.sold.product_id,
        product_id=line.sold.product_id if is_product else None,
        name=line.name,
        description=line.description,
        quantity=line.quantity,
        unit_price=cart.unit_price,
        currency=cart.currency,
        proration_factor=sign * float(share.text()),
        tax_inclusive=cart.tax_inclusive,
        tax_category=line.tax_category,
        tax=None if quoted is None else quoted.tax,
        tax_rate=float(decimal_text(cart.tax_rate_ppm * 100, MILLION)),
    )
