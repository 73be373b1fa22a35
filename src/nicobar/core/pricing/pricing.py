"""From a cart to its amounts: `quote` prices every line exactly and rounds only where the contract says so.

The pipeline is section 1 of `money.md`: list price, purchasing power parity, conversion with its fee, product
discount, codes in their order, charm pricing, one half-up rounding of the line's net, then the line's tax, rounded
half-up once. Totals are sums of lines and are never rounded again. Everything between two roundings is a ratio of
integers.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import lcm
from typing import NamedTuple

import msgspec

from nicobar.core.discounts.discounts import FULL_BPS, DiscountTerms, apply_code
from nicobar.core.money.charm import Charmed, charm_stages
from nicobar.core.money.fx import BASE, ChargeTerms, FeeTiers, Rates, fee_tier
from nicobar.core.money.money import INT32_MAX, display_amount, round_half_up
from nicobar.core.pricing.quote import UNCHANGED, CartLine, LineQuote, Quote, QuoteInputs
from nicobar.core.problems import Problem
from nicobar.core.tax.tax import MILLION

__all__ = [
    "CartLine",
    "ChargeTerms",
    "DiscountTerms",
    "LineQuote",
    "Quote",
    "QuoteInputs",
    "Workings",
    "buyer_price",
    "check_minimum",
    "check_step",
    "quote",
    "recompute",
    "with_fee",
    "work_out",
]

Opening = tuple[int, int, int, int]
"""A line before the codes: numerator and denominator of its exact base, then those after the product discount."""

CodeState = tuple[list[int], list[int], int]
"""After one code: the lines it covers, all exact amounts, and the denominator that the amounts share."""


class Workings(NamedTuple):
    """What a quote was worked out from, beyond its inputs."""

    on_top: int
    """The fee that raised the rate, in basis points."""
    openings: Sequence[Opening]
    """The exact amounts of the lines before the codes."""
    states: Sequence[CodeState]
    """Those before the first code and after each."""
    plain: Sequence[LineQuote]
    """The lines as they would be without charm pricing."""
    charmed: Sequence[Charmed | None]
    """What charm pricing made of each line; None where it left the line as it was."""


def quote(lines: Sequence[CartLine], charge: ChargeTerms, codes: Sequence[DiscountTerms] = ()) -> Quote:
    """Price a cart.

    `codes` have passed `discounts.check_code` and are in the order of the request. Raises Problem
    INTEGER_CONVERSION_FAILURE for an amount above 2147483647, and EXCHANGE_RATE_NOT_FOUND when `charge` lacks the
    conversion of a line.
    """
    on_top = fee_on_top(lines, charge)
    openings = [_opening(line, charge, on_top) for line in lines]
    states = _code_states(lines, openings, codes) if codes else []
    ladders = _ladders(openings, states)
    if charge.charm is not None:
        for index, charmed in enumerate(_charmed(lines, charge, openings, states)):
            if charmed is not None:
                ladders[index] = [unit * lines[index].quantity for unit in charmed.units]
    results = tuple([_line_quote(line, ladder) for line, ladder in zip(lines, ladders, strict=True)])
    subtotal = discount = tax = total = 0
    for result in results:
        subtotal += result.subtotal
        discount += result.discount
        tax += result.tax
        total += result.total
    settlement_amount, settlement_tax, fee_bps = total, tax, 0
    if charge.conversions or charge.settlement is not None:
        settlement_amount, settlement_tax, fee_bps = _settlement(lines, results, charge, on_top)
    for amount in (subtotal, total, settlement_amount):
        if amount > INT32_MAX:
            raise Problem("INTEGER_CONVERSION_FAILURE", detail=f"{amount} is above {INT32_MAX}")
    return Quote(
        currency=charge.currency,
        subtotal=subtotal,
        discount=discount,
        tax=tax,
        total=total,
        settlement_currency=charge.settlement_currency,
        settlement_amount=settlement_amount,
        settlement_tax=settlement_tax,
        fee_bps=fee_bps,
        fees_inclusive=not on_top,
        lines=results,
        inputs=QuoteInputs(tuple(lines), charge, tuple(codes)),
        rounded_away=total == 0 and _is_positive(openings, states),
    )


def _is_positive(openings: Sequence[Opening], states: Sequence[CodeState]) -> bool:
    """Return whether anything is left of the exact amounts after all discounts."""
    return any(states[-1][1]) if states else any(opening[2] for opening in openings)


def recompute(inputs: QuoteInputs) -> Quote:
    """Price stored inputs again; the result equals the quote that they were taken from."""
    return quote(inputs.lines, inputs.charge, inputs.codes)


def work_out(quote: Quote) -> Workings:
    """Return what a quote was worked out from. It is computed once more, as nothing but an explanation needs it."""
    lines, charge, codes = quote.inputs.lines, quote.inputs.charge, quote.inputs.codes
    on_top = fee_on_top(lines, charge)
    openings = [_opening(line, charge, on_top) for line in lines]
    states = _code_states(lines, openings, codes)
    plain = quote.lines
    if charge.charm is not None:
        ladders = _ladders(openings, states)
        plain = tuple([_line_quote(line, ladder) for line, ladder in zip(lines, ladders, strict=True)])
    return Workings(on_top, openings, states, plain, _charmed(lines, charge, openings, states))


def with_fee(
    lines: Sequence[CartLine],
    charge: ChargeTerms,
    codes: Sequence[DiscountTerms],
    tiers: FeeTiers,
    rates: Rates,
    exponents: Mapping[str, int],
) -> ChargeTerms:
    """Decide the conversion fee of a cart and return the terms that carry it.

    The order value is the exact total after discounts and charm pricing, with tax and before any fee, converted to US
    dollars at mid rate (`money.md`, section 7); leaving it unrounded keeps an order of exactly 1,500 dollars in its
    tier in every charge currency. Without tiers, or when nothing is converted, there is no fee and no dollar rate is
    needed.
    """
    plain = msgspec.structs.replace(charge, fee_bps=0)
    if not tiers or not any(bears_fee(line, charge) for line in lines):
        return plain
    openings = [_opening(line, plain, 0) for line in lines]
    states = _code_states(lines, openings, codes)
    _, amounts, denominator = states[-1]
    for index, charmed in enumerate(_charmed(lines, plain, openings, states)):
        if charmed is not None:
            amounts[index] = charmed.units[-1] * lines[index].quantity * denominator
    value = sum(
        amount * (MILLION if line.tax_inclusive else MILLION + line.tax_rate_ppm)
        for line, amount in zip(lines, amounts, strict=True)
    )
    dollars = rates.conversion(charge.currency, BASE, exponents)
    fee = fee_tier(tiers, value * dollars.numerator, denominator * MILLION * dollars.denominator)
    return msgspec.structs.replace(charge, fee_bps=fee)


def check_minimum(priced: Quote, minimum_minor: int, exponent: int) -> None:
    """Refuse a total between zero and the smallest charge of its currency.

    Free is what costs exactly nothing: a positive price that rounds to zero is below the minimum. Raises Problem
    TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT.
    """
    if 0 < priced.total < minimum_minor or priced.rounded_away:
        amount = display_amount(minimum_minor, priced.currency, exponent)
        raise Problem("TOTAL_PAYMENT_AMOUNT_BELOW_MINIMUM_AMOUNT", amount=amount)


def check_step(amount: int, currency: str, step: int, exponent: int, *, path: str | None = None) -> None:
    """Refuse an amount that the processor cannot move: it takes only multiples of `step` minor units.

    Raises Problem AMOUNT_NOT_CHARGEABLE.
    """
    if amount % step:
        texts = [display_amount(minor, currency, exponent) for minor in (amount, step)]
        raise Problem("AMOUNT_NOT_CHARGEABLE", amount=texts[0], step=texts[1], path=path)


def buyer_price(minimum: int, amount: int | None, *, path: str | None = None) -> int:
    """Return the unit price of a pay-what-you-want line: the buyer's amount, at least the product's price.

    Both are minor units of the product's currency; `path` names the request field for the message. Raises Problem
    PAY_AS_YOU_WANT_AMOUNT_REQUIRED or REQUEST_AMOUNT_BELOW_MINIMUM.
    """
    if amount is None:
        raise Problem("PAY_AS_YOU_WANT_AMOUNT_REQUIRED", path=path)
    if amount < minimum:
        raise Problem("REQUEST_AMOUNT_BELOW_MINIMUM", path=path)
    return amount


def _opening(line: CartLine, charge: ChargeTerms, fee_bps: int) -> Opening:
    """Return the line's exact base in the charge currency, before and after the product discount."""
    base, scale = line.unit_price * line.quantity, 1
    if line.takes_parity:
        base, scale = base * line.ppp_percent, UNCHANGED
    if line.currency != charge.currency:
        if line.localized:
            raise ValueError("a localized price is in the charge currency")
        conversion = charge.conversion_from(line.currency)
        base, scale = base * conversion.numerator, scale * conversion.denominator
        if fee_bps:
            base, scale = base * (FULL_BPS + fee_bps), scale * FULL_BPS
    if not line.takes_product_discount:
        return base, scale, base, scale
    return base, scale, base * (FULL_BPS - line.discount_bps), scale * FULL_BPS


def _code_states(
    lines: Sequence[CartLine], openings: Sequence[Opening], codes: Sequence[DiscountTerms]
) -> list[CodeState]:
    """Return the exact amounts of all lines over one shared denominator: before the codes, and after each."""
    denominator = lcm(*[opening[3] for opening in openings])
    amounts = [opening[2] * (denominator // opening[3]) for opening in openings]
    states: list[CodeState] = [([], amounts, denominator)]
    for code in codes:
        eligible = [index for index, line in enumerate(lines) if code.covers(line.product_id)]
        amounts, denominator = apply_code(code, eligible, amounts, denominator)
        states.append((eligible, amounts, denominator))
    return states


def _ladders(openings: Sequence[Opening], states: Sequence[CodeState]) -> list[list[int]]:
    """Return each line's rounded running values: base, after the product discount, after each code."""
    ladders = [[round_half_up(base, scale), round_half_up(run, per)] for base, scale, run, per in openings]
    for eligible, amounts, denominator in states[1:]:
        for ladder in ladders:
            ladder.append(ladder[-1])
        for index in eligible:
            ladders[index][-1] = round_half_up(amounts[index], denominator)
    return ladders


def _takes_charm(line: CartLine, charge: ChargeTerms) -> bool:
    """Return whether charm pricing may move the line's price: only a conversion makes endings that need it.

    A price in the charge currency, localized ones among them, is the merchant's own number, and a pay-what-you-want
    amount the buyer's.
    """
    return charge.charm is not None and line.currency != charge.currency and not line.pay_what_you_want


def _charmed(
    lines: Sequence[CartLine], charge: ChargeTerms, openings: Sequence[Opening], states: Sequence[CodeState]
) -> list[Charmed | None]:
    """Return what charm pricing makes of each line; None for a line that it leaves as it is."""
    charmed: list[Charmed | None] = [None] * len(lines)
    if charge.charm is None:
        return charmed
    for index, line in enumerate(lines):
        if _takes_charm(line, charge):
            base, scale, run, per = openings[index]
            stages = [(base, scale), (run, per), *[(amounts[index], shared) for _, amounts, shared in states[1:]]]
            charmed[index] = charm_stages(stages, line.quantity, charge.exponent, charge.charm)
    return charmed


def _tax_within(amount: int, rate_ppm: int) -> int:
    """Return the tax contained in a tax-inclusive amount, rounded half-up."""
    return round_half_up(amount * rate_ppm, MILLION + rate_ppm)


def _line_quote(line: CartLine, ladder: list[int]) -> LineQuote:
    """Turn a line's running values (base, after the product discount, after each code) into its amounts.

    The differences between the rungs are what each discount is shown to have taken; they sum to the line's
    discount by construction. For a tax-inclusive price every rung is first freed of the tax within it.
    """
    net, rate = ladder[-1], line.tax_rate_ppm
    if line.tax_inclusive and rate:
        ladder = [value - _tax_within(value, rate) for value in ladder]
        tax, total = net - ladder[-1], net
    else:
        tax = round_half_up(net * rate, MILLION) if rate else 0
        total = net + tax
    return LineQuote(
        line.product_id,
        ladder[0],
        ladder[0] - ladder[-1],
        ladder[0] - ladder[1],
        tuple([before - after for before, after in pairwise(ladder[1:])]) if len(ladder) > 2 else (),
        net,
        tax,
        total,
    )


def bears_fee(line: CartLine, charge: ChargeTerms) -> bool:
    """Return whether the line is converted: into the charge currency, or, at a localized price, on settlement."""
    if line.converted is not None:
        return True
    return line.currency != charge.currency or (line.localized and charge.settlement is not None)


def fee_on_top(lines: Sequence[CartLine], charge: ChargeTerms) -> int:
    """Return the fee that raises the rate, in basis points.

    There is none without conversion, or when fees are inclusive, which a localized price and a line that takes charm
    pricing force on the whole cart: their buyers pay exactly the price they saw. An amount that was converted that
    way stays so.
    """
    if not charge.fee_bps or charge.fees_inclusive:
        return 0
    if any(line.localized or line.converted == "fee_inclusive" or _takes_charm(line, charge) for line in lines):
        return 0
    return charge.fee_bps if any(bears_fee(line, charge) for line in lines) else 0


def _settlement(
    lines: Sequence[CartLine], results: Sequence[LineQuote], charge: ChargeTerms, on_top: int
) -> tuple[int, int, int]:
    """Return the settlement amount, the settlement tax and the fee used (`money.md`, section 8).

    In a cart of mixed currencies only the converted lines carry the fee: on top, it is taken out of their totals
    again; inclusive, it is a part of their share of the gross settlement.
    """
    numerator, denominator = 1, 1
    if charge.settlement is not None:
        numerator, denominator = charge.settlement.denominator, charge.settlement.numerator
    total = tax = fee_total = fee_tax = 0
    converted = False
    for line, result in zip(lines, results, strict=True):
        if bears_fee(line, charge):
            converted = True
            fee_total += result.total
            fee_tax += result.tax
        else:
            total += result.total
            tax += result.tax
    fee_bps = charge.fee_bps if converted else 0
    if on_top:
        grown = FULL_BPS + on_top
        denominator *= grown
        amount = round_half_up((total * grown + fee_total * FULL_BPS) * numerator, denominator)
        return amount, round_half_up((tax * grown + fee_tax * FULL_BPS) * numerator, denominator), fee_bps
    gross = round_half_up((total + fee_total) * numerator, denominator)
    fee = round_half_up(round_half_up(fee_total * numerator, denominator) * fee_bps, FULL_BPS)
    return gross - fee, round_half_up((tax + fee_tax) * numerator, denominator), fee_bps
