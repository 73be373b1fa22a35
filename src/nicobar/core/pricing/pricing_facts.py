"""All that a cart is priced with, besides the request itself and the moment."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nicobar.core.catalog.localized_price import LocalizedPrice
from nicobar.core.customers.buyer import Buyer
from nicobar.core.discounts.discounts import CodeHistory, DiscountCode, DiscountTerms
from nicobar.core.pricing.cart import CartFacts
from nicobar.core.pricing.policy import Policy
from nicobar.core.pricing.pricing import Quote
from nicobar.core.pricing.quote import UNCHANGED, QuoteInputs
from nicobar.core.tax.tax_id import CheckedTaxId

KnownCodes = Mapping[str, tuple[DiscountCode, CodeHistory]]
"""The discount codes of a request that exist, by code, each with its uses so far."""


class KeptTerms(NamedTuple):
    """What an open payment was made from and keeps; only what its buyer changes is replaced."""

    country: str
    """The billing country before the change."""
    inputs: QuoteInputs

    @property
    def purchasing_power_percent(self) -> int:
        """What buyers of `country` pay where a price opts in."""
        return next((line.ppp_percent for line in self.inputs.lines if line.ppp_percent != UNCHANGED), UNCHANGED)

    def codes(self) -> dict[str, DiscountTerms]:
        """Return the terms of its codes, by code."""
        return {terms.code: terms for terms in self.inputs.codes}


class PricingFacts(NamedTuple):
    """What was known when a cart was to be priced."""

    policy: Policy
    cart: CartFacts
    localized: Mapping[str, Sequence[LocalizedPrice]]
    """The active localized prices by product."""
    codes: KnownCodes
    tax_id: CheckedTaxId | None = None
    """The tax id of the request, which passed; None when the request has none."""
    kept: KeptTerms | None = None
    """For a payment that is priced again."""


class PricedCart(NamedTuple):
    """A cart that passed every check, with its amounts."""

    quote: Quote
    facts: CartFacts
    brand_id: str
    customer: Buyer | None
    """The existing customer, or None when the request brings a new one."""
    tax_id: CheckedTaxId | None
    policy: Policy
    tax_is_open: bool
    """Whether tax is on and the address leaves open which region's: the page asks before anybody pays."""
