"""The wire types of GET /payments/{payment_id}/methods: which payment method types are offered, and why."""

from collections.abc import Sequence

from nicobar.core.money.money import display_amount
from nicobar.core.payments.methods import Decision, Rule
from nicobar.core.payments.payment import Payment
from nicobar.reference import countries, currencies, methods
from nicobar.wire.codes import PaymentMethodFamily, PaymentMethodType
from nicobar.wire.common import ResponseBody


class MethodDecision(ResponseBody, frozen=True, kw_only=True):
    """One payment method type."""

    payment_method_type: PaymentMethodType
    payment_method: PaymentMethodFamily
    name: str
    offered: bool
    rule: Rule
    """The rule that decided: the first one, in the order of the contract, that speaks against the type."""
    minimum_amount: int | None
    """Smallest total that the type takes, in minor units of the payment's currency; null if another rule decided."""
    sentence: str
    """The decision in words."""


class PaymentMethodDecisions(ResponseBody, frozen=True, kw_only=True):
    """What decides, and one decision for each of the contract's types, in the contract's order."""

    payment_id: str
    country: str
    currency: str
    total_amount: int
    items: list[MethodDecision]


def render_decisions(payment: Payment, decisions: Sequence[Decision]) -> PaymentMethodDecisions:
    """Render the decisions about one payment."""
    return PaymentMethodDecisions(
        payment_id=payment.payment_id,
        country=payment.billing.country,
        currency=payment.currency,
        total_amount=payment.total_amount,
        items=[_decision(payment, decision) for decision in decisions],
    )


def _decision(payment: Payment, decision: Decision) -> MethodDecision:
    method = methods.get(decision.type)
    return MethodDecision(
        payment_method_type=method.type,  # type: ignore[arg-type] # a test compares the table with the literal
        payment_method=method.family,  # type: ignore[arg-type]
        name=method.name,
        offered=decision.offered,
        rule=decision.rule,
        minimum_amount=decision.minimum,
        sentence=_sentence(payment, decision, method.name),
    )


def _sentence(payment: Payment, decision: Decision, name: str) -> str:
    currency, country = payment.currency, countries.get(payment.billing.country).name
    match decision.rule:
        case "offered":
            return f"{name} is offered: nothing speaks against it."
        case "not_in_service":
            return f"{name} is not in service: lists may name it, and no customer is offered it."
        case "processor":
            return f"No processor that is configured for {payment.mode} payments can run {name}."
        case "disabled":
            return f"The seller has switched {name} off, by the setting disabled_payment_methods."
        case "allow_list":
            return f"The payment's allowed_payment_method_types do not name {name}."
        case "zero_total":
            return f"The total is zero, so there is nothing to pay with {name}."
        case "business_only":
            return f"{name} is for businesses, and the payment has no tax id."
        case "country":
            return f"{name} cannot be used with a billing address in {country}."
        case "currency":
            return f"{name} cannot be used to pay in {currency} with a billing address in {country}."
        case "minimum":
            minimum = display_amount(decision.minimum or 0, currency, currencies.exponent(currency))
            return f"The total is below the smallest amount for {name}, which is {minimum}."
