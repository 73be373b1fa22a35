"""Refuse an order that nobody could pay, before it is stored."""

from collections.abc import Sequence

import msgspec

from nicobar.core.business.tenant import Tenant
from nicobar.core.payments.methods import CARD_TYPES, decide
from nicobar.core.problems import Problem
from nicobar.flows.pricing.build_method_context import build_method_context
from nicobar.flows.pricing.price_cart import PricedCart
from nicobar.flows.runtime import Runtime
from nicobar.reference import methods


def require_method(
    runtime: Runtime, tenant: Tenant, priced: PricedCart, country: str, allowed: Sequence[str] | None
) -> None:
    """Refuse an allow-list that leaves nothing to pay with; None allows every type.

    Cards are offered for every order, so without a list there is something to decide only when the seller has
    switched both kinds of cards off. An order of nothing needs no method, and any list that is not empty will do.
    A processor that is not configured yet is taken for one that runs cards: it may be there when the order is paid.

    Raises Problem NO_ELIGIBLE_PAYMENT_METHODS.
    """
    disabled = priced.policy.settings.disabled_payment_methods
    if allowed is None and not disabled >= CARD_TYPES:
        return
    if priced.quote.total == 0 and allowed != []:
        return
    context = build_method_context(
        runtime,
        priced.policy,
        tenant,
        country=country,
        currency=priced.quote.currency,
        total=priced.quote.total,
        for_business=priced.tax_id is not None,
        allowed=allowed,
    )
    if not context.runnable:
        context = msgspec.structs.replace(context, runnable=CARD_TYPES)
    candidates = methods.offered() if allowed is None else [methods.get(name) for name in dict.fromkeys(allowed)]
    if not any(decide(method, context).offered for method in candidates):
        path = None if allowed is None else "allowed_payment_method_types"
        raise Problem("NO_ELIGIBLE_PAYMENT_METHODS", path=path)
