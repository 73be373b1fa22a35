"""How a payment's settlement is shared among its lines.

The settlement is rounded once for the whole payment (`pricing.quote`); each line's share follows from what the line
contributed to it and sums to it by largest remainder. Net and tax are shared apart, so neither can become negative.
"""

from nicobar.core.discounts.discounts import FULL_BPS
from nicobar.core.money.money import allocate
from nicobar.core.payments.payment import Payment
from nicobar.core.pricing.pricing import Quote, bears_fee, fee_on_top


def settlement_shares(quote: Quote) -> tuple[list[int], list[int]]:
    """Return each line's share of the settlement amount and of the settlement tax, in the settlement currency.

    A converted line carries the conversion fee and the others do not, as in the settlement itself: on top, the fee is
    taken out of the converted lines again; inclusive, it is a part of their total, and not of their tax.
    """
    lines, charge = quote.inputs.lines, quote.inputs.charge
    on_top = fee_on_top(lines, charge)
    nets, taxes = [], []
    for line, amounts in zip(lines, quote.lines, strict=True):
        converted = bears_fee(line, charge)
        if on_top:
            share = FULL_BPS if converted else FULL_BPS + on_top
            nets.append((amounts.total - amounts.tax) * share)
            taxes.append(amounts.tax * share)
        else:
            kept = FULL_BPS - quote.fee_bps if converted else FULL_BPS
            nets.append(max(0, amounts.total * kept - amounts.tax * FULL_BPS))
            taxes.append(amounts.tax)
    tax_shares = allocate(quote.settlement_tax, taxes)
    net_shares = allocate(quote.settlement_amount - quote.settlement_tax, nets)
    return [net + tax for net, tax in zip(net_shares, tax_shares, strict=True)], tax_shares


def is_converted(payment: Payment) -> bool:
    """Return whether a payment settles at other figures than it is paid at, so that its lines have own shares."""
    return (payment.settlement_currency, payment.settlement_amount) != (payment.currency, payment.total_amount)
