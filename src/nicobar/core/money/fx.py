"""Exchange rates, the currency a buyer is charged in, and the fee for charging in it (`money.md`, section 7).

A rate is an exact ratio of integers, read from the decimal text of its feed, and stays exact until a line is
rounded. The charge currency, the fee tier and the settlement currency are decided here; the amounts that follow
from them are computed in `pricing`.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import date
from math import gcd
from typing import Final

import msgspec

from nicobar.core.money.charm import CharmKind
from nicobar.core.money.money import decimal_text
from nicobar.core.problems import Problem

BASE: Final = "USD"
"""Every rate is quoted as units of a currency for one of this."""


class UsdRate(msgspec.Struct, frozen=True, gc=False):
    """Units of a currency for one US dollar, at mid, as the exact ratio `numerator / denominator`."""

    numerator: int
    denominator: int
    as_of: date
    source: str
    """Who published the rate; kept with every payment that uses it."""


class Conversion(msgspec.Struct, frozen=True, gc=False):
    """An exact conversion at mid rate, without fee, from minor units of one currency to minor units of another."""

    source_currency: str
    source_exponent: int
    target_currency: str
    target_exponent: int
    numerator: int
    """Target minor units that `denominator` source minor units are worth."""
    denominator: int
    rate: str
    """Target major units for one source major unit, as decimal text for people to read."""
    as_of: date
    """The older of the dates of the two rates behind it."""
    source: str


class Rates(msgspec.Struct, frozen=True):
    """One snapshot of mid rates, by currency code. US dollars need no entry."""

    by_currency: Mapping[str, UsdRate]

    def cross(self, source: str, target: str) -> tuple[int, int]:
        """Return the exact ratio of target major units for one source major unit, in lowest terms.

        Raises Problem EXCHANGE_RATE_NOT_FOUND when either currency has no rate.
        """
        if source == target:
            return 1, 1
        numerator = denominator = 1
        if target != BASE:
            rate = self._rate(target, source, target)
            numerator, denominator = rate.numerator, rate.denominator
        if source != BASE:
            rate = self._rate(source, source, target)
            numerator, denominator = numerator * rate.denominator, denominator * rate.numerator
        common = gcd(numerator, denominator)
        return numerator // common, denominator // common

    def conversion(self, source: str, target: str, exponents: Mapping[str, int]) -> Conversion:
        """Return the conversion between minor units; `exponents` holds the number of decimals of both currencies.

        Raises Problem EXCHANGE_RATE_NOT_FOUND when either currency has no rate.
        """
        major, major_denominator = self.cross(source, target)
        numerator = major * 10 ** exponents[target]
        denominator = major_denominator * 10 ** exponents[source]
        common = gcd(numerator, denominator)
        used = [self.by_currency[code] for code in (source, target) if code != BASE and source != target]
        return Conversion(
            source_currency=source,
            source_exponent=exponents[source],
            target_currency=target,
            target_exponent=exponents[target],
            numerator=numerator // common,
            denominator=denominator // common,
            rate=decimal_text(major, major_denominator),
            as_of=min((rate.as_of for rate in used), default=date.min),
            source="; ".join(dict.fromkeys(rate.source for rate in used)),
        )

    def _rate(self, currency: str, source: str, target: str) -> UsdRate:
        rate = self.by_currency.get(currency)
        if rate is None:
            raise Problem("EXCHANGE_RATE_NOT_FOUND", source=source, target=target)
        return rate


def usd_rate(units_per_usd: str, as_of: date, source: str) -> UsdRate:
    """Read the plain decimal text of a feed, such as `0.92`, into an exact rate. Raises ValueError for other text."""
    whole, _, fraction = units_per_usd.strip().partition(".")
    digits = whole + fraction
    if not (digits.isascii() and digits.isdecimal()) or not int(digits):
        raise ValueError(f"not a positive decimal rate: {units_per_usd!r}")
    numerator, denominator = int(digits), 10 ** len(fraction)
    common = gcd(numerator, denominator)
    return UsdRate(numerator // common, denominator // common, as_of, source)


class FeeTier(msgspec.Struct, frozen=True, gc=False):
    """One step of a fee table: the fee for orders up to a limit."""

    up_to_cents: int | None
    """The limit of the order value in US cents; None for the last step, which has no limit."""
    includes_limit: bool
    """Whether an order of exactly the limit still belongs to this step."""
    fee_bps: int
    """The fee in basis points."""


FeeTiers = tuple[FeeTier, ...]
"""A fee table, lowest limit first. The empty table means no fee."""

NO_FEE: Final[FeeTiers] = ()
"""The default of a self-hosted server."""

DODO_FEES: Final[FeeTiers] = (
    FeeTier(50_000, False, 400),
    FeeTier(150_000, True, 300),
    FeeTier(None, True, 200),
)
"""The hosted service's table: under 500 dollars 4 %, 500 up to and including 1,500 dollars 3 %, above it 2 %."""


def fee_tier(tiers: FeeTiers, cents_numerator: int, cents_denominator: int) -> int:
    """Return the fee in basis points for an order value, which is an exact ratio of US cents."""
    for tier in tiers:
        if tier.up_to_cents is None:
            return tier.fee_bps
        limit = tier.up_to_cents * cents_denominator
        if cents_numerator < limit or (tier.includes_limit and cents_numerator == limit):
            return tier.fee_bps
    return 0


class ChargeTerms(msgspec.Struct, frozen=True, gc=False):
    """In which currency a cart is charged and settled, at which exact rates, and with which fee."""

    currency: str
    """The charge currency: what the buyer pays in."""
    exponent: int
    """Number of decimals of the charge currency."""
    settlement_currency: str
    """What the merchant is credited in."""
    settlement_exponent: int
    conversions: tuple[Conversion, ...] = ()
    """One into the charge currency for every product currency that differs from it."""
    settlement: Conversion | None = None
    """From the settlement currency into the charge currency; None when they are the same."""
    fee_bps: int = 0
    """The conversion fee in basis points, as `pricing.with_fee` decided it."""
    fees_inclusive: bool = False
    """True: the buyer pays the plain converted price and the merchant bears the fee. False: the fee goes on top."""
    charm: CharmKind | None = None
    """How the unit prices of converted lines are moved to a clean ending; None leaves them as they are."""

    def converts(self, source: str) -> bool:
        """Return whether amounts in this currency can be charged."""
        return source == self.currency or any(each.source_currency == source for each in self.conversions)

    def conversion_from(self, currency: str) -> Conversion:
        """Return the conversion of a product currency. Raises Problem EXCHANGE_RATE_NOT_FOUND when there is none."""
        for conversion in self.conversions:
            if conversion.source_currency == currency:
                return conversion
        raise Problem("EXCHANGE_RATE_NOT_FOUND", source=currency, target=self.currency)


def charge_terms(
    currency: str,
    settlement_currency: str,
    line_currencies: Iterable[str],
    rates: Rates,
    exponents: Mapping[str, int],
    *,
    fees_inclusive: bool = False,
) -> ChargeTerms:
    """Collect the conversions that a cart needs; the fee is still zero (see `pricing.with_fee`).

    `line_currencies` are the currencies of the lines' unit prices. Raises Problem EXCHANGE_RATE_NOT_FOUND.
    """
    foreign = [code for code in dict.fromkeys(line_currencies) if code != currency]
    settlement = None
    if settlement_currency != currency:
        settlement = rates.conversion(settlement_currency, currency, exponents)
    return ChargeTerms(
        currency=currency,
        exponent=exponents[currency],
        settlement_currency=settlement_currency,
        settlement_exponent=exponents[settlement_currency],
        conversions=tuple(rates.conversion(code, currency, exponents) for code in foreign),
        settlement=settlement,
        fees_inclusive=fees_inclusive,
    )


def charge_currency(
    requested: str | None,
    country_default: str | None,
    product_currencies: Sequence[str],
    *,
    adaptive: bool,
    chargeable: Container[str],
) -> str:
    """Choose the currency the buyer pays in.

    `requested` is the call's `billing_currency`, `country_default` the currency of the billing country, and
    `product_currencies` are the base currencies of the cart's products.

    Adaptive pricing off: the product currency, and a different request is discarded; products of several
    currencies are refused. Adaptive pricing on: the request, which is refused when it cannot be charged; else the
    country's currency; else the product currency; else US dollars, the fallback of the contract's currency table.

    Raises Problem UNSUPPORTED_CURRENCY.
    """
    product_currency = product_currencies[0] if len(set(product_currencies)) == 1 else None
    if not adaptive:
        if product_currency is None:
            detail = "the products of the cart have different currencies"
            raise Problem("UNSUPPORTED_CURRENCY", detail=detail, path="product_cart")
        if product_currency not in chargeable:
            raise Problem("UNSUPPORTED_CURRENCY", detail=product_currency, path="product_cart")
        return product_currency
    if requested is not None:
        if requested not in chargeable:
            raise Problem("UNSUPPORTED_CURRENCY", detail=requested, path="billing_currency")
        return requested
    for candidate in (country_default, product_currency):
        if candidate is not None and candidate in chargeable:
            return candidate
    return BASE


def settlement_currency(product_currencies: Sequence[str], business_default: str) -> str:
    """Choose the currency the merchant is credited in: the products', or the business's when they differ."""
    return product_currencies[0] if len(set(product_currencies)) == 1 else business_default
