"""Which payment method types a payment is offered, and which rule decides each of them.

The rules are those of the contract's page on payment methods, section 3, in its order: what a processor can run, what
the seller has switched off, the allow-list, country and currency, the smallest amount. The rule about recurring
payments has no part in it: every payment of this server is made once. What a browser can show (Apple Pay, Google Pay)
is the browser's business and never decided here.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal, Protocol

import msgspec

from nicobar.core.money.fx import Rates

CARD_TYPES: Final = frozenset({"credit", "debit"})
"""The two types that pay by card; they are the ones that a payment of nothing keeps."""

BUSINESS_ONLY: Final = frozenset({"billie"})
"""Types that only a buyer with a tax id is offered (contract, section 1: Billie is an invoice for businesses)."""

Rule = Literal[
    "offered",
    "not_in_service",
    "processor",
    "disabled",
    "allow_list",
    "zero_total",
    "business_only",
    "country",
    "currency",
    "minimum",
]
"""The rule that decided, the first one in this order that speaks against a type. `offered`: none does."""


class MethodFacts(Protocol):
    """What is true of a method on its own; `reference.methods.PaymentMethod` has it."""

    @property
    def type(self) -> str:
        """Value of `payment_method_type`."""

    @property
    def offered(self) -> bool:
        """Whether the method is in service; the others are valid in lists and never shown."""

    @property
    def countries(self) -> frozenset[str] | None:
        """Billing countries; None means every country."""

    @property
    def excluded_countries(self) -> frozenset[str]:
        """Billing countries taken out of `countries`."""

    @property
    def currencies(self) -> frozenset[str] | None:
        """Charge currencies; None means every chargeable currency."""

    @property
    def currency_countries(self) -> Mapping[str, frozenset[str]]:
        """Where a currency is limited to some of the countries."""

    @property
    def minimum_minor(self) -> int | None:
        """Smallest amount in minor units of `minimum_currency`; None means the smallest charge of the currency."""

    @property
    def minimum_currency(self) -> str | None:
        """Currency of the minimum, which may be another one than that of the charge."""


class MethodContext(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one payment that decides which methods it is offered."""

    country: str
    """Billing country, ISO 3166-1 alpha-2."""
    currency: str
    """Charge currency, ISO 4217."""
    total: int
    """What the customer pays, in minor units of `currency`."""
    for_business: bool
    """Whether the buyer gave a tax id."""
    runnable: Collection[str]
    """Types that a processor of this payment's mode can run."""
    disabled: Collection[str]
    """Types that the seller has switched off."""
    allowed: Collection[str] | None
    """The payment's own allow-list; None allows every type."""
    smallest_charge: int
    """The currency's minimum in its minor units."""
    rates: Rates
    """Mid rates, for minimums that are stated in another currency."""
    exponents: Mapping[str, int]
    """Number of decimals of every currency."""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """Whether one type is offered, and why."""

    type: str
    rule: Rule
    minimum: int | None = None
    """Smallest total that the type takes, in minor units of the charge currency, rounded up; None where the rules
    before it have decided."""

    @property
    def offered(self) -> bool:
        """Whether the customer may pay with this type."""
        return self.rule == "offered"


def eligible(methods: Iterable[MethodFacts], context: MethodContext) -> list[Decision]:
    """Decide about every method, in the given order.

    Raises Problem EXCHANGE_RATE_NOT_FOUND when a minimum cannot be converted.
    """
    return [decide(method, context) for method in methods]


def may_leave_none(allowed: Collection[str] | None, disabled: Collection[str]) -> bool:
    """Return whether an allow-list and what the seller has switched off can leave an order nothing to pay with.

    Cards are offered for every order, so without a list that needs both kinds of cards to be switched off.
    """
    return allowed is not None or frozenset(disabled) >= CARD_TYPES


def decide(method: MethodFacts, context: MethodContext) -> Decision:
    """Decide about one method. Raises Problem EXCHANGE_RATE_NOT_FOUND when its minimum cannot be converted."""
    rule = _rule_before_amount(method, context)
    if rule is not None:
        return Decision(method.type, rule)
    smallest = max(_minimum(method, context), context.smallest_charge)
    too_little = 0 < context.total < smallest
    return Decision(method.type, "minimum" if too_little else "offered", smallest)


def _rule_before_amount(method: MethodFacts, context: MethodContext) -> Rule | None:
    """Return the first rule that excludes the method whatever the amount is, None when there is none."""
    rule: Rule | None = None
    if not method.offered:
        rule = "not_in_service"
    elif method.type not in context.runnable:
        rule = "processor"
    elif method.type in context.disabled:
        rule = "disabled"
    elif context.allowed is not None and method.type not in context.allowed:
        rule = "allow_list"
    elif context.total == 0 and method.type not in CARD_TYPES:
        rule = "zero_total"
    elif method.type in BUSINESS_ONLY and not context.for_business:
        rule = "business_only"
    elif not _takes_country(method, context.country):
        rule = "country"
    elif not _takes_currency(method, context.currency, context.country):
        rule = "currency"
    return rule


def _takes_country(method: MethodFacts, country: str) -> bool:
    return country not in method.excluded_countries and (method.countries is None or country in method.countries)


def _takes_currency(method: MethodFacts, currency: str, country: str) -> bool:
    if method.currencies is not None and currency not in method.currencies:
        return False
    return not method.currency_countries or country in method.currency_countries.get(currency, frozenset())


def _minimum(method: MethodFacts, context: MethodContext) -> int:
    """Return the method's own minimum in minor units of the charge currency, rounded up; 0 without one.

    A total is a whole number, so it reaches the exact converted minimum if and only if it reaches the rounded one.
    """
    if method.minimum_minor is None or method.minimum_currency is None:
        return 0
    if method.minimum_currency == context.currency:
        return method.minimum_minor
    conversion = context.rates.conversion(method.minimum_currency, context.currency, context.exponents)
    return -(-method.minimum_minor * conversion.numerator // conversion.denominator)
