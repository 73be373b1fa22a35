"""What a charge of a subscription comes to: codes, credit, tax, and the smallest charge of the currency."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from nicobar.core.discounts.discounts import DiscountTerms
from nicobar.core.money.fx import ChargeTerms
from nicobar.core.money.money import allocate
from nicobar.core.pricing.pricing import bears_fee, fee_on_top, quote
from nicobar.core.pricing.quote import UNCHANGED, CartLine, ConvertedFee, Quote
from nicobar.core.subscriptions.proration import CreditUse, use_credit

CREDIT: Final = "CREDIT"
"""What the explanation of a price calls the credit of a subscription."""

CARRIED: Final = "CARRIED"
"""What it calls a cycle that is too small to be charged, and is charged with a later one."""


class PricedCharge(NamedTuple):
    """A charge with its amounts."""

    quote: Quote
    price: int
    """What it is for, after codes and before credit."""
    credit_use: CreditUse


def net_prices(lines: Sequence[CartLine], terms: ChargeTerms, codes: Sequence[DiscountTerms]) -> list[int]:
    """Return what each line costs after discounts, in the charge currency: with tax where the price contains it."""
    return [line.net for line in quote(lines, terms, codes).lines]


def price_charge(
    lines: Sequence[CartLine], terms: ChargeTerms, codes: Sequence[DiscountTerms], credit: int, minimum: int
) -> PricedCharge:
    """Price a charge, using up credit.

    What would be less than `minimum`, the smallest charge, is raised to it, and the difference becomes credit. Raises
    Problem as `pricing.quote` does.
    """
    nets = net_prices(lines, terms, codes)
    price = sum(nets)
    credit_use = use_credit(price, credit, 0)
    priced = quote(lines, terms, [*codes, *_credit(credit_use.used)])
    if 0 < priced.total < minimum or priced.rounded_away:
        itself = quote(lines, terms, codes)
        if price < minimum <= itself.total:  # only the tax lifts it to the smallest charge: no credit can be used
            return PricedCharge(itself, price, CreditUse(price, 0, 0))
        credit_use = use_credit(price, credit, minimum)
        raised = at_amounts(lines, terms, allocate(price + credit_use.added, nets))
        priced = quote(raised, terms, _credit(credit_use.used))
    return PricedCharge(priced, price, credit_use)


def price_cycle(
    lines: Sequence[CartLine],
    terms: ChargeTerms,
    codes: Sequence[DiscountTerms],
    credit: int,
    minimum: int,
    carried: int,
) -> PricedCharge:
    """Price a cycle together with what is carried on from earlier ones, which were too small to be charged.

    What both come to without credit is never raised: below `minimum` nothing is charged, and it is carried on. Raises
    Problem as `pricing.quote` does.
    """
    nets = net_prices(lines, terms, codes)
    price, whole = sum(nets), sum(nets) + carried
    if carried:
        lines, codes = at_amounts(lines, terms, _shared(whole, nets)), []
    uncredited = quote(lines, terms, codes)
    if not (0 < uncredited.total < minimum or uncredited.rounded_away):
        charge = price_charge(lines, terms, codes, credit, minimum)
        return charge._replace(price=price, credit_use=charge.credit_use._replace(carried=-carried))
    use = use_credit(whole, credit, 0)
    covered = [*_credit(use.used), *_carried(use.due)]
    nothing = quote(lines, terms, [*codes, *covered])
    if nothing.total or nothing.rounded_away:  # a part of a unit that rounding has dealt with is left
        nothing = quote(at_amounts(lines, terms, _shared(whole, nets)), terms, covered)
    return PricedCharge(nothing, price, CreditUse(0, use.used, 0, use.due - carried))


def at_amounts(lines: Sequence[CartLine], terms: ChargeTerms, amounts: Sequence[int]) -> list[CartLine]:
    """Return the lines at amounts of the charge currency that stand for themselves: nothing lowers or converts them.

    What they were converted from bore the fee, and so do they: it is a part of them that is not the merchant's.
    """
    fee: ConvertedFee = "fee_on_top" if fee_on_top(lines, terms) else "fee_inclusive"
    return [
        msgspec.structs.replace(
            line,
            currency=terms.currency,
            unit_price=amount,
            quantity=1,
            discount_bps=0,
            ppp_percent=UNCHANGED,
            localized=False,
            converted=fee if bears_fee(line, terms) else None,
        )
        for line, amount in zip(lines, amounts, strict=True)
    ]


def price_left(charge: PricedCharge, lines: Sequence[CartLine], terms: ChargeTerms) -> PricedCharge:
    """Return the same charge with lines of what is left to pay, so that it can be priced again by itself."""
    nets = [line.net for line in charge.quote.lines]
    return charge._replace(quote=quote(at_amounts(lines, terms, nets), terms))


def price_part(
    lines: Sequence[CartLine], terms: ChargeTerms, codes: Sequence[DiscountTerms], part: int, credit: int, minimum: int
) -> PricedCharge:
    """Price a part of a whole period's price, shared among the lines by what they cost."""
    nets = net_prices(lines, terms, codes)
    return price_charge(at_amounts(lines, terms, _shared(part, nets)), terms, [], credit, minimum)


def _shared(amount: int, nets: Sequence[int]) -> list[int]:
    """Return an amount shared among the lines by what they cost; the first has all of it where they cost nothing."""
    return allocate(amount, nets) if sum(nets) else [amount, *[0] * (len(nets) - 1)]


def _credit(amount: int) -> list[DiscountTerms]:
    return [DiscountTerms("", CREDIT, "flat", amount, source="credit of plan changes")] if amount else []


def _carried(amount: int) -> list[DiscountTerms]:
    return [DiscountTerms("", CARRIED, "flat", amount, source="charged with a later cycle")] if amount else []
