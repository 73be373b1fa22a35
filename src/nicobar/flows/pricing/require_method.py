"""Refuse an order that nobody could pay, before it is stored. No I/O."""

from collections.abc import Sequence
from typing import Final

from nicobar.core.payments.methods import CARD_TYPES, decide, may_leave_none
from nicobar.core.pricing.pricing_facts import PricedCart
from nicobar.core.problems import Problem
from nicobar.flows.pricing.build_method_context import build_method_context
from nicobar.reference import methods

_OF_THE_COUNTRY: Final = frozenset({"country", "currency"})
"""Rules that another country could decide otherwise, with its currency."""


def require_method(
    priced: PricedCart,
    country: str,
    allowed: Sequence[str] | None,
    runnable: frozenset[str],
    *,
    guessed_country: bool = False,
) -> None:
    """Refuse an allow-list that leaves nothing to pay with; None allows every type.

    `runnable` are the types that the processor runs; they matter only when `core.payments.methods.may_leave_none`. An
    order of nothing needs no method, and any list that is not empty will do. A processor that is not configured yet is
    taken for one that runs cards: it may be there when the order is paid. With `guessed_country` nobody has told it
    yet, and what other countries can pay with will do.

    Raises Problem NO_ELIGIBLE_PAYMENT_METHODS.
    """
    if not may_leave_none(allowed, priced.policy.settings.disabled_payment_methods):
        return
    if priced.quote.total == 0 and allowed != []:
        return
    context = build_method_context(
        priced.policy,
        runnable or CARD_TYPES,
        country=country,
        currency=priced.quote.currency,
        total=priced.quote.total,
        for_business=priced.tax_id is not None,
        allowed=allowed,
    )
    candidates = methods.offered() if allowed is None else [methods.get(name) for name in dict.fromkeys(allowed)]
    decided = [decide(method, context) for method in candidates]
    if not any(each.offered or (guessed_country and each.rule in _OF_THE_COUNTRY) for each in decided):
        path = None if allowed is None else "allowed_payment_method_types"
        raise Problem("NO_ELIGIBLE_PAYMENT_METHODS", path=path)
