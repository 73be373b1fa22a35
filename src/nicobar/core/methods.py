"""Which payment method types a payment can offer."""

from collections.abc import Collection
from typing import Final

from nicobar.core.problems import Problem

CARD_TYPES: Final = frozenset({"credit", "debit"})
"""The types that the processors of this version can run."""


def check_allowed_methods(allowed: Collection[str] | None) -> None:
    """Refuse an allow-list that leaves nothing to pay with; None allows every type.

    Types that no processor here can run are accepted and never offered (contract, "Eligibility algorithm").
    Raises Problem NO_ELIGIBLE_PAYMENT_METHODS.
    """
    if allowed is not None and CARD_TYPES.isdisjoint(allowed):
        raise Problem("NO_ELIGIBLE_PAYMENT_METHODS", path="allowed_payment_method_types")
