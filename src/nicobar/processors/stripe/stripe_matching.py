"""Whether what Stripe tells is about what it was asked: only then it counts. Raises ValueError, so nobody knows."""

from nicobar.core.payments.payment import Attempt, Unknown
from nicobar.processors.base import RefundRequest
from nicobar.processors.stripe.stripe_outcomes import ATTEMPT, REFUND, PaymentIntent, StripeRefund
from nicobar.reference.stripe import to_stripe


def reference_of(attempt: Attempt) -> str | None:
    """Return Stripe's id of an attempt's PaymentIntent, as far as it was ever told."""
    outcome = attempt.outcome
    return None if outcome is None or isinstance(outcome, Unknown) else outcome.reference


def checked_intent(intent: PaymentIntent, attempt_id: str, amount: int, currency: str) -> PaymentIntent:
    """Return a PaymentIntent that is of this attempt, and of `amount` minor units of `currency`.

    One that was paid has to have received exactly that.
    """
    if intent.metadata.get(ATTEMPT) != attempt_id:
        raise ValueError(f"{intent.id} is about another attempt than {attempt_id}")
    expected = to_stripe(amount, currency)
    received = intent.amount_received if intent.status == "succeeded" else None
    if intent.amount != expected or received not in (None, expected) or intent.currency != currency.lower():
        raise ValueError(f"{intent.id} is about another amount than {attempt_id}")
    return intent


def checked_refund(refund: StripeRefund, request: RefundRequest, reference: str) -> StripeRefund:
    """Return a Refund that is this one, of the amount that was ordered, and of the PaymentIntent `reference`."""
    if (refund.metadata or {}).get(REFUND) != request.refund_id or refund.payment_intent != reference:
        raise ValueError(f"{refund.id} is about another refund than {request.refund_id}")
    currency = request.attempt.currency
    if refund.amount != to_stripe(request.amount, currency) or refund.currency != currency.lower():
        raise ValueError(f"{refund.id} is about another amount than {request.refund_id}")
    return refund
