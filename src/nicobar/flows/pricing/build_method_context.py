"""Collect what decides which payment methods an order is offered: the order itself, the policy, the processor."""

from collections.abc import Collection

from nicobar.core.payments.methods import MethodContext
from nicobar.core.pricing.policy import Policy
from nicobar.reference import currencies


def build_method_context(
    policy: Policy,
    runnable: frozenset[str],
    *,
    country: str,
    currency: str,
    total: int,
    for_business: bool,
    allowed: Collection[str] | None,
) -> MethodContext:
    """Return the context of an order, stored or not.

    `runnable` are the types that its processor runs (`find_runnable_methods`), and `total` is in minor units of
    `currency`.
    """
    return MethodContext(
        country=country,
        currency=currency,
        total=total,
        for_business=for_business,
        runnable=runnable,
        disabled=policy.settings.disabled_payment_methods,
        allowed=None if allowed is None else frozenset(allowed),
        smallest_charge=currencies.get(currency).minimum_minor,
        rates=policy.rates,
        exponents=currencies.exponents(),
    )
