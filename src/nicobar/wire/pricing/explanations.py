"""The wire types of GET /payments/{payment_id}/explain: why a total is what it is, step by step."""

from nicobar.core.payments.payment import Payment
from nicobar.core.pricing.explanation import describe, explain
from nicobar.core.pricing.pricing import Quote
from nicobar.wire.common import ResponseBody


class ExplainedStep(ResponseBody, frozen=True, kw_only=True):
    """One step from the list price to the settlement."""

    what: str
    """Kind of the step, such as `product_discount`, `code`, `conversion`, `rounding` or `tax`."""
    line: int | None
    """Position of the cart line, from 0; null for a step of the whole cart."""
    product_id: str | None
    currency: str
    amount_before: str
    """Exact amount before the step in minor units, `n` or `n/d`; nothing is rounded between two steps."""
    amount_after: str
    contribution: int
    """What the step adds to the total, in minor units of the payment's currency; the contributions sum to the total."""
    rule: str
    source: str
    sentence: str
    """The step in words."""


class Explanation(ResponseBody, frozen=True, kw_only=True):
    """The whole calculation of a payment."""

    payment_id: str
    currency: str
    subtotal: int
    discount: int
    tax: int
    total_amount: int
    settlement_currency: str
    settlement_amount: int
    settlement_tax: int
    recomputed: bool
    """True when computing the stored inputs again gave the stored amounts of the payment and of each of its lines.

    False would be a bug: please report it.
    """
    steps: list[ExplainedStep]


def render_explanation(payment: Payment, quote: Quote) -> Explanation:
    """Render a payment together with the quote that was computed from its stored inputs just now."""
    return Explanation(
        payment_id=payment.payment_id,
        currency=payment.currency,
        subtotal=payment.subtotal,
        discount=payment.discount,
        tax=payment.tax,
        total_amount=payment.total_amount,
        settlement_currency=payment.settlement_currency,
        settlement_amount=payment.settlement_amount,
        settlement_tax=payment.settlement_tax,
        recomputed=_stored_amounts(payment) == _recomputed_amounts(quote),
        steps=[
            ExplainedStep(
                what=step.what,
                line=step.line,
                product_id=None if step.line is None else quote.lines[step.line].product_id,
                currency=step.currency,
                amount_before=step.amount_before,
                amount_after=step.amount_after,
                contribution=step.contribution,
                rule=step.rule,
                source=step.source,
                sentence=describe(step),
            )
            for step in explain(quote)
        ],
    )


def _stored_amounts(payment: Payment) -> tuple[object, ...]:
    lines = [(line.product_id, line.subtotal, line.discount, line.tax, line.total) for line in payment.lines]
    return (
        payment.currency,
        payment.subtotal,
        payment.discount,
        payment.tax,
        payment.total_amount,
        payment.settlement_currency,
        payment.settlement_amount,
        payment.settlement_tax,
        lines,
    )


def _recomputed_amounts(quote: Quote) -> tuple[object, ...]:
    lines = [(line.product_id, line.subtotal, line.discount, line.tax, line.total) for line in quote.lines]
    return (
        quote.currency,
        quote.subtotal,
        quote.discount,
        quote.tax,
        quote.total,
        quote.settlement_currency,
        quote.settlement_amount,
        quote.settlement_tax,
        lines,
    )
