"""Decide which payment methods a stored payment is offered at this moment."""

from collections.abc import Iterable

from nicobar.core.payments.methods import Decision, MethodFacts, eligible
from nicobar.core.payments.payment import Payment
from nicobar.flows.business.load_policy import load_policy
from nicobar.flows.pricing.build_method_context import build_method_context
from nicobar.flows.pricing.find_runnable_methods import find_runnable_methods
from nicobar.flows.runtime import Runtime
from nicobar.reference import methods


async def offer_methods(
    runtime: Runtime, payment: Payment, candidates: Iterable[MethodFacts] = methods.ALL
) -> list[Decision]:
    """Return one decision for each candidate: for each of the contract's types, in the contract's order, by default.

    The payment is taken as it is: after a change of country or total the answer may be another one. Raises
    Problem EXCHANGE_RATE_NOT_FOUND when a minimum cannot be converted.
    """
    policy = await load_policy(runtime, payment.tenant)
    context = build_method_context(
        policy,
        find_runnable_methods(runtime, policy, payment.mode),
        country=payment.billing.country,
        currency=payment.currency,
        total=payment.total_amount,
        for_business=payment.options.tax_id is not None,
        allowed=payment.options.allowed_payment_method_types,
    )
    return eligible(candidates, context)
