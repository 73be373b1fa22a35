"""Collect what decides which payment methods an order is offered: the order itself, the policy, the processor."""

from collections.abc import Collection

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.methods import MethodContext
from nicobar.flows.accounts.find_processors import find_processors
from nicobar.flows.business.load_policy import Policy
from nicobar.flows.runtime import Runtime
from nicobar.processors.accounts.registry import processor_for
from nicobar.reference import currencies


def build_method_context(
    runtime: Runtime,
    policy: Policy,
    tenant: Tenant,
    *,
    country: str,
    currency: str,
    total: int,
    for_business: bool,
    allowed: Collection[str] | None,
) -> MethodContext:
    """Return the context of an order, stored or not. `total` is in minor units of `currency`."""
    processor = processor_for(find_processors(runtime, policy), tenant.mode)
    return MethodContext(
        country=country,
        currency=currency,
        total=total,
        for_business=for_business,
        runnable=frozenset() if processor is None else processor.methods,
        disabled=policy.settings.disabled_payment_methods,
        allowed=None if allowed is None else frozenset(allowed),
        smallest_charge=currencies.get(currency).minimum_minor,
        rates=policy.rates,
        exponents=currencies.exponents(),
    )
