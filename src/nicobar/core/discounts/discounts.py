"""Discount codes: whether a code may be used, what it is worth here, and how it lowers the lines.

The rules are section 5 of `money.md`. Codes work in the order in which the buyer gave them, each on the price that
the previous one left.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import gcd
from typing import Final, Literal, Protocol

import msgspec

from nicobar.core.fields import blank_to_none
from nicobar.core.money.fx import Rates
from nicobar.core.money.money import allocate, decimal_text, display_amount, round_half_up
from nicobar.core.problems import Problem

FULL_BPS: Final = 10_000
"""100 % in basis points."""

Eligibility = Literal["any", "first_time", "existing", "specific"]
"""Who may use a code: everyone, customers without or with an earlier purchase, or the customers of a list."""


class DiscountableLine(Protocol):
    """What a code needs to know about a cart line; `pricing.CartLine` fits."""

    @property
    def product_id(self) -> str:
        """The product."""

    @property
    def currency(self) -> str:
        """Currency of `unit_price`."""

    @property
    def unit_price(self) -> int:
        """List price of one unit in minor units, before every discount."""

    @property
    def quantity(self) -> int:
        """Number of units."""


class CurrencyOption(msgspec.Struct, frozen=True, gc=False):
    """One currency row of a code."""

    currency: str
    max_amount_possible: int | None = None
    """Flat code: the deduction. Percentage: the most that the code takes off in total. Minor units of `currency`."""
    minimum_subtotal: int = 0
    """The smallest sum of list prices for which the code works, in minor units of `currency`; 0 means none."""
    is_default: bool = False


class DiscountCode(msgspec.Struct, frozen=True, gc=False):
    """The parts of a stored discount that decide about its use and its worth."""

    discount_id: str
    code: str
    """As stored: trimmed and upper-cased."""
    type: Literal["percentage", "flat"]
    amount: int
    """Percentage: basis points, 1 to 10000. Flat: ignored, because the currency rows hold the deduction."""
    currency_options: tuple[CurrencyOption, ...] = ()
    restricted_to: frozenset[str] = frozenset()
    """Product ids; empty means every product."""
    usage_limit: int | None = None
    per_customer_usage_limit: int | None = None
    starts_at: datetime | None = None
    """First moment at which the code works."""
    expires_at: datetime | None = None
    """First moment at which the code no longer works."""
    customer_eligibility: Eligibility = "any"

    def covers(self, product_id: str) -> bool:
        """Return whether the code may lower a line of this product."""
        return not self.restricted_to or product_id in self.restricted_to

    def option_for(self, charge_currency: str, *, path: str | None = None) -> CurrencyOption | None:
        """Return the row of the charge currency, else the default row; a single row counts as the default.

        None says that the code has no rows, and so no limits. Raises Problem DISCOUNT_CURRENCY_OPTION_INVALID when it
        has rows and none of them holds here: limits that are not known for a currency are not no limits.
        """
        if not self.currency_options:
            return None
        for option in self.currency_options:
            if option.currency == charge_currency:
                return option
        if len(self.currency_options) == 1:
            return self.currency_options[0]
        for option in self.currency_options:
            if option.is_default:
                return option
        message = f"The discount has no currency option for {charge_currency}, and no default one"
        raise Problem("DISCOUNT_CURRENCY_OPTION_INVALID", message=message, path=path)


class CustomerStanding(msgspec.Struct, frozen=True, gc=False):
    """What a customer has done with a code and with the business before."""

    customer_uses: int = 0
    """Uses of the code: by successful payments, plus reservations of open ones."""
    customer_has_purchased: bool = False
    """Whether the customer has a succeeded payment with this business, a free one too."""
    customer_holds_codes: bool = False
    """Whether another open payment of the customer holds a use of any code of this business."""
    customer_listed: bool = False
    """Whether the customer is on the code's allow-list."""


class CodeHistory(CustomerStanding, frozen=True, gc=False):
    """What has happened with a code before, for the checks that come before the one under its lock.

    What other open payments of the customer hold, and nobody is paying, does not count: it is taken over.
    """

    times_used: int = 0
    """Successful payments with the code, plus reservations of open ones."""
    held: bool = False
    """Whether the payment that is priced again holds a use of the code: it was agreed on when the payment got it."""


class DiscountTerms(msgspec.Struct, frozen=True, gc=False):
    """A code reduced to what it is worth in one charge currency."""

    discount_id: str
    code: str
    type: Literal["percentage", "flat"]
    amount: int
    """Percentage: basis points. Flat: the deduction in minor units of the charge currency."""
    cap: int | None = None
    """Percentage only: the most that the code takes off in total, in minor units of the charge currency."""
    restricted_to: frozenset[str] = frozenset()
    source: str = ""
    """The currency row and the rate behind a flat amount or cap, for the explanation."""
    currency_options: tuple[CurrencyOption, ...] = ()
    """All rows of the code, for the day on which the payment changes its currency."""

    def covers(self, product_id: str) -> bool:
        """Return whether the code may lower a line of this product."""
        return not self.restricted_to or product_id in self.restricted_to

    def as_code(self) -> DiscountCode:
        """Return the code that these terms are of, as far as it decides about worth."""
        own = self.discount_id, self.code, self.type, self.amount
        return DiscountCode(*own, currency_options=self.currency_options, restricted_to=self.restricted_to)

    def describe(self, exponent: int, currency: str) -> str:
        """Describe what the code takes off, for example `code SAVE10 20 %`."""
        if self.type == "flat":
            return f"code {self.code} {display_amount(self.amount, currency, exponent)}"
        text = f"code {self.code} {decimal_text(self.amount, 100)} %"
        return text if self.cap is None else f"{text} up to {display_amount(self.cap, currency, exponent)}"


def normalise_code(text: str) -> str:
    """Trim and upper-case a code, as it is stored and looked up."""
    return text.strip().upper()


def check_code(
    code: DiscountCode,
    history: CodeHistory,
    items: Sequence[DiscountableLine],
    charge_currency: str,
    rates: Rates,
    exponents: Mapping[str, int],
    now: datetime,
    *,
    path: str | None = None,
) -> None:
    """Refuse a code that this cart, customer or moment may not use.

    The order of the checks is that of `money.md` 5.3; whoever looks the code up raises INVALID_DISCOUNT_CODE first
    when it does not exist. A code that the payment holds already keeps its use, whatever the moment and the limits say
    by now; what the cart decides is checked again. `path` names the request field for the message.

    Raises Problem DISCOUNT_NOT_YET_ACTIVE, DISCOUNT_CODE_EXPIRED, DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED,
    DISCOUNT_CUSTOMER_NOT_ELIGIBLE, DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED, DISCOUNT_NOT_AVAILABLE_FOR_PRODUCT,
    DISCOUNT_MINIMUM_SUBTOTAL_NOT_MET, DISCOUNT_CURRENCY_OPTION_INVALID or EXCHANGE_RATE_NOT_FOUND.
    """
    if not history.held:
        _check_use(code, history, now, path)
    eligible = [item for item in items if code.covers(item.product_id)]
    if not eligible:
        raise Problem("DISCOUNT_NOT_AVAILABLE_FOR_PRODUCT", path=path)
    option = code.option_for(charge_currency, path=path)
    if option is not None and option.minimum_subtotal:
        numerator, denominator = _list_value(eligible, option.currency, rates, exponents)
        if numerator < option.minimum_subtotal * denominator:
            raise Problem("DISCOUNT_MINIMUM_SUBTOTAL_NOT_MET", path=path)
    if code.type == "flat" and (option is None or option.max_amount_possible is None):
        raise Problem("DISCOUNT_CURRENCY_OPTION_INVALID", path=path)


def _check_use(code: DiscountCode, history: CodeHistory, now: datetime, path: str | None) -> None:
    """Refuse a new use at the wrong moment, beyond a limit, or by a customer whom the code is not for."""
    if code.starts_at is not None and now < code.starts_at:
        raise Problem("DISCOUNT_NOT_YET_ACTIVE", path=path)
    if code.expires_at is not None and now >= code.expires_at:
        raise Problem("DISCOUNT_CODE_EXPIRED", path=path)
    if code.usage_limit is not None and history.times_used >= code.usage_limit:
        raise Problem("DISCOUNT_CODE_USAGE_LIMIT_EXCEEDED", path=path)
    if not is_eligible(code.customer_eligibility, history):
        raise Problem("DISCOUNT_CUSTOMER_NOT_ELIGIBLE", path=path)
    limit = code.per_customer_usage_limit
    if limit is not None and history.customer_uses >= limit:
        raise Problem("DISCOUNT_PER_CUSTOMER_USAGE_LIMIT_EXCEEDED", path=path)


def resolve_terms(
    code: DiscountCode, charge_currency: str, rates: Rates, exponents: Mapping[str, int]
) -> DiscountTerms:
    """Work out what a code is worth in the charge currency.

    The row of the charge currency is taken as it is; the default row is converted at mid rate, without the
    conversion fee, and rounded half-up to a whole minor unit. A percentage without any rows has no cap.

    Raises Problem DISCOUNT_CURRENCY_OPTION_INVALID for a code whose rows leave the currency open and for a flat one
    without rows, and EXCHANGE_RATE_NOT_FOUND.
    """
    option = code.option_for(charge_currency)
    limit: int | None = None
    source = ""
    if option is not None and option.max_amount_possible is not None:
        limit, source = option.max_amount_possible, f"currency row {option.currency}"
        if option.currency != charge_currency:
            conversion = rates.conversion(option.currency, charge_currency, exponents)
            limit = round_half_up(limit * conversion.numerator, conversion.denominator)
            source = f"{source} at {conversion.rate} ({conversion.source})"
    if code.type == "flat":
        if limit is None:
            raise Problem("DISCOUNT_CURRENCY_OPTION_INVALID")
        own: tuple[Literal["percentage", "flat"], int, int | None] = "flat", limit, None
    else:
        own = "percentage", code.amount, limit
    return DiscountTerms(code.discount_id, code.code, *own, code.restricted_to, source, code.currency_options)


def keep_terms(
    terms: DiscountTerms, kept_currency: str, charge_currency: str, rates: Rates, exponents: Mapping[str, int]
) -> DiscountTerms:
    """Return the terms that a payment was agreed on with, in the currency that it is charged in now.

    In the same currency they are the same. In another one the code's rows hold, as they were; terms without them (from
    before they were kept) are converted. Raises Problem as `resolve_terms` does.
    """
    if charge_currency == kept_currency or (terms.type == "percentage" and terms.cap is None):
        if terms.currency_options:
            terms.as_code().option_for(charge_currency)  # refuses a currency that the limits leave open
        return terms
    if terms.currency_options:
        return resolve_terms(terms.as_code(), charge_currency, rates, exponents)
    conversion = rates.conversion(kept_currency, charge_currency, exponents)

    def converted(amount: int) -> int:
        return round_half_up(amount * conversion.numerator, conversion.denominator)

    source = f"{terms.source} at {conversion.rate} ({conversion.source})"
    if terms.type == "flat":
        return msgspec.structs.replace(terms, amount=converted(terms.amount), source=source)
    return msgspec.structs.replace(terms, cap=None if terms.cap is None else converted(terms.cap), source=source)


def apply_code(
    terms: DiscountTerms, eligible: Sequence[int], amounts: Sequence[int], denominator: int
) -> tuple[list[int], int]:
    """Lower the eligible lines by one code and return the new amounts with their common denominator.

    Line `i` is worth exactly `amounts[i] / denominator` minor units of the charge currency; `eligible` holds the
    indices that the code covers. A percentage lowers every eligible line exactly. When its sum exceeds the cap,
    and for every flat code, one pool of whole minor units is shared by the lines' remaining value.
    """
    if terms.type == "flat":
        return _take_pool(terms.amount, eligible, amounts, denominator), denominator
    if terms.cap is not None:
        remaining = sum([amounts[index] for index in eligible])
        if remaining * terms.amount > terms.cap * FULL_BPS * denominator:
            return _take_pool(terms.cap, eligible, amounts, denominator), denominator
    common = gcd(terms.amount, FULL_BPS)
    unit = FULL_BPS // common
    kept = unit - terms.amount // common
    lowered = [amount * unit for amount in amounts]
    for index in eligible:
        lowered[index] = amounts[index] * kept
    return lowered, denominator * unit


def _take_pool(pool: int, eligible: Sequence[int], amounts: Sequence[int], denominator: int) -> list[int]:
    """Take `pool` whole minor units off the eligible lines together, shared by largest remainder.

    A pool that reaches the lines' whole value empties them exactly. A line that is worth less than one minor unit
    can be handed a whole one; it stops at zero, because no line may become negative.
    """
    lowered = list(amounts)
    weights = [amounts[index] for index in eligible]
    if pool * denominator >= sum(weights):
        for index in eligible:
            lowered[index] = 0
        return lowered
    for index, share in zip(eligible, allocate(pool, weights), strict=True):
        lowered[index] = max(0, amounts[index] - share * denominator)
    return lowered


def is_eligible(eligibility: Eligibility, standing: CustomerStanding) -> bool:
    """Return whether a code is for this customer.

    An open payment that holds a code may still be paid, so its customer is not one without a purchase; but not one with
    a purchase either.
    """
    if eligibility == "first_time":
        return not (standing.customer_has_purchased or standing.customer_holds_codes)
    if eligibility == "existing":
        return standing.customer_has_purchased
    return eligibility == "any" or standing.customer_listed


def _list_value(
    items: Sequence[DiscountableLine], currency: str, rates: Rates, exponents: Mapping[str, int]
) -> tuple[int, int]:
    """Sum the original prices exactly, in minor units of `currency`: before parity, product discount and codes."""
    numerator, denominator = 0, 1
    for item in items:
        value, scale = item.unit_price * item.quantity, 1
        if item.currency != currency:
            conversion = rates.conversion(item.currency, currency, exponents)
            value, scale = value * conversion.numerator, conversion.denominator
        numerator, denominator = numerator * scale + value * denominator, denominator * scale
    return numerator, denominator


def requested_codes(single: str | None, several: Sequence[str] | None) -> list[str]:
    """Return the discount codes of a request, normalised, in their order.

    Raises Problem INVALID_REQUEST_BODY when both fields are used or a code stands twice.
    """
    single = blank_to_none(single)
    if single is not None and several is not None:
        detail = "Send discount_code or discount_codes, not both."
        raise Problem("INVALID_REQUEST_BODY", path="discount_code", detail=detail)
    codes = [normalise_code(single)] if single is not None else [normalise_code(text) for text in several or ()]
    for index, code in enumerate(codes):
        where = f"discount_codes[{index}]"
        if not code:
            raise Problem("INVALID_REQUEST_BODY", path=where, detail="It is blank.")
        if code in codes[:index]:
            raise Problem("INVALID_REQUEST_BODY", path=where, detail=f"{code} is in the list twice.")
    return codes
