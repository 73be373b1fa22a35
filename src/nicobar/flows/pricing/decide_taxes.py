"""Decide the taxes of what is sold to an address on a day. No I/O."""

from collections.abc import Iterable
from datetime import date
from typing import Final

from nicobar.core.customers.buyer import Address
from nicobar.core.pricing.policy import Policy
from nicobar.core.tax.tax import Category, TaxDecision
from nicobar.core.tax.tax_id import CheckedTaxId
from nicobar.reference.tax_regions import tax_regions

_UNTAXED: Final = TaxDecision(0, "", False, "tax is off", "")


def decide_taxes(
    categories: Iterable[Category], billing: Address, policy: Policy, day: date, tax_id: CheckedTaxId | None
) -> dict[str, TaxDecision]:
    """Return the decision for each tax category; `tax_id` is the buyer's, which passed its check."""
    if policy.settings.tax == "off":
        return dict.fromkeys(categories, _UNTAXED)
    place = tax_regions().find(billing)
    return {
        category: policy.tax_table.decide(
            place,
            category,
            day,
            tax_id_given=tax_id is not None,
            tax_id_doubt="" if tax_id is None else tax_id.doubt,
            seller_country=policy.settings.seller_country or None,
        )
        for category in categories
    }
