"""What refunds and disputes took back of what a period cost: a plan change credits only what the seller kept."""

from typing import Final

from nicobar.core.money.money import round_half_up
from nicobar.core.payments.payment import Payment, PaymentLine
from nicobar.core.subscriptions.charge_record import ChargeRecord, lines_of_charge
from nicobar.core.subscriptions.proration import Share, read_share

_LEAST: Final = Share(1, 10**8)
"""Taken for the share of a charge from when shares were stored with eight decimals, and this one was less."""


def given_back(charge: ChargeRecord, payment: Payment, disputed: int, *, tax_inclusive: bool) -> int:
    """Return by how much a paid charge made its period cost less than it says, counted as `period_price` is.

    `tax_inclusive` says whether that contains the tax; the charge may be of an earlier plan with prices of the other
    kind. `disputed` is what disputes hold of the payment, which may hold what other plans in it cost: nobody knows
    which, so it counts for each, with the tax that refunds have left in proportion. Pending refunds count, too. A
    charge for a part of a period (`factor`) made the whole period cost more by a multiple of what was paid, and what
    goes back counts as often, by the exact ratio. Rounded half-up, so the same part of the result is what went back, to
    the unit.
    """
    lines = lines_of_charge(charge, payment)
    turned = lines[0].tax_inclusive != tax_inclusive

    def net(line: PaymentLine, amount: int, tax: int) -> int:
        with_tax = tax_inclusive if turned else line.tax_inclusive
        return amount if with_tax else amount - tax

    left = sum(line.total - line.refund_reserved_amount for line in lines)
    back = sum(net(line, line.refund_reserved_amount, line.refund_reserved_tax) for line in lines)
    if held := min(disputed, left):
        back += round_half_up(held * (sum(net(line, line.total, line.tax) for line in lines) - back), left)
    share = read_share(charge.factor)
    part, whole = share if share.part else _LEAST
    return round_half_up(back * whole, part)
